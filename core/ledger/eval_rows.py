"""Which rows of an eval count: of everything that was imported, the newest statement at or below `as_of`.

A log can come again: a run that was resumed, a page that was fetched later, a table exported once more. Each score of a
sample is stated by the newest import that has it, so that a sample that errored in the first log and was scored in the
second is scored. Use it as the first steps of a query:

    f"with {NEWEST_EVALS}, mine as (select ... from newest_eval_samples) select ..."
"""

from __future__ import annotations

NEWEST_EVALS = """
eval_gone as (
    select import_id from undone where undone_by <= $as_of
),
eval_run_versions as (
    select
        run_id,
        max(case when n_total is null then null else import_id end) as whole_id,
        max(import_id)                                              as any_id
    from eval_runs
    where import_id <= $as_of and import_id not in (select import_id from eval_gone)
    group by run_id
),
newest_eval_runs as (
    select
        eval_runs.*
    from eval_runs
    join eval_run_versions
        on eval_run_versions.run_id = eval_runs.run_id
        and eval_runs.import_id = coalesce(eval_run_versions.whole_id, eval_run_versions.any_id)
),
eval_sample_versions as (
    select
        run_id,
        sample_id,
        epoch,
        scorer,
        max(import_id) as import_id
    from eval_samples
    where import_id <= $as_of and import_id not in (select import_id from eval_gone)
    group by run_id, sample_id, epoch, scorer
),
newest_eval_samples as (
    select
        eval_samples.import_id as import_id,
        eval_samples.run_id as run_id,
        eval_samples.sample_id as sample_id,
        eval_samples.epoch as epoch,
        eval_samples.scorer as scorer,
        eval_samples.value as value,
        eval_samples.label as label,
        eval_samples.verdict as verdict,
        eval_samples.item_id as item_id,
        eval_samples.trace_id as trace_id,
        coalesce(newest_eval_runs.model, eval_samples.model) as model,
        eval_samples.model                                   as answered_by,
        eval_samples.arm as arm,
        eval_samples.slices as slices,
        eval_samples.attributes as attributes,
        newest_eval_runs.tool as tool,
        newest_eval_runs.task as task,
        newest_eval_runs.task_version as task_version,
        newest_eval_runs.dataset_hash as dataset_hash,
        newest_eval_runs.prompt_hash as prompt_hash,
        newest_eval_runs.started_at_ns as started_at_ns,
        newest_eval_runs.region as region,
        newest_eval_runs.quantization as quantization
    from eval_samples
    join eval_sample_versions
        on eval_sample_versions.run_id = eval_samples.run_id
        and eval_sample_versions.sample_id = eval_samples.sample_id
        and eval_sample_versions.epoch = eval_samples.epoch
        and eval_sample_versions.scorer = eval_samples.scorer
        and eval_sample_versions.import_id = eval_samples.import_id
    left join newest_eval_runs on newest_eval_runs.run_id = eval_samples.run_id
),
eval_item_versions as (
    select
        item_id,
        max(import_id) as import_id
    from eval_items
    where import_id <= $as_of and import_id not in (select import_id from eval_gone)
    group by item_id
),
newest_eval_items as (
    select
        eval_items.*
    from eval_items
    join eval_item_versions
        on eval_item_versions.item_id = eval_items.item_id
        and eval_item_versions.import_id = eval_items.import_id
)
"""
"""CTEs `newest_eval_runs`, `newest_eval_samples` (with its run's model, task and versions) and `newest_eval_items`.

Of the rows of one run, one that knows how many samples were planned (n_total) goes before a newer one that does not:
files of samples or of output items make a run row only to stand in for the run's own. `model` is the run's model,
and where no run names one, the model that answered.
"""
