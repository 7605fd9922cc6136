-- The ledger. One file, one owner (the app process). Nothing is updated in place except the column superseded_by of
-- runs, calls and attempts, which can always be rebuilt from the spans. Rows are deleted for three reasons only: an exact
-- copy of a span (recorded in duplicates), retention and the demo's button (recorded in deletions).
--
-- Read in this order: imports (what came), spans and cost_lines (the two sides), runs, calls and attempts (derived from
-- spans, at the end), findings (what audits said of them).
--
-- Conventions: names are OpenTelemetry attributes with dots as underscores, or FOCUS columns in
-- snake_case. Instants are UTC nanoseconds since the epoch (BIGINT, suffix _ns); day is the UTC date
-- and hour the whole hours since the epoch, both computed at ingest so that no page truncates
-- timestamps. Money is DECIMAL(24, 12) in the row's own currency. import_id is the import that
-- brought the row and, at the same time, the data version: a query "as of N" sees import_id <= N.

create table if not exists schema_version (
    version    integer not null,   -- number of the newest migration applied
    applied_at timestamp not null  -- UTC
);

create table if not exists imports (
    import_id        bigint not null,   -- monotonic, starts at 1: the data version
    at_ns            bigint not null,   -- UTC ns when it was committed
    source           varchar not null,  -- 'otlp/http', a file's name, 'demo'; never a full path
    format           varchar not null,  -- what read it: a name of core.ingest.formats.FORMATS, 'openai_billing' or 'sql'; or of
                                        -- core.ledger.batch.ROWLESS_FORMATS
    sha256           varchar not null,  -- of the bytes as received (after decompression)
    rows_read        bigint not null,   -- rows found in the input
    rows_accepted    bigint not null,   -- rows now in the ledger
    rows_quarantined bigint not null,   -- rows refused, each one in quarantine
    rows_duplicate   bigint not null,   -- rows already known, counted and not stored again
    min_event_ns     bigint,            -- earliest event in it, UTC ns; null when it has no times
    max_event_ns     bigint,            -- latest event in it
    demo             boolean not null,  -- true for rows made by data/demo
    file_id          bigint,            -- files.file_id; null for live requests
    rows_repaired    bigint             -- rows a repair changed; null before schema version 2 counted them
);

create table if not exists files (
    file_id          bigint not null,   -- monotonic, starts at 1
    at_ns            bigint not null,   -- UTC ns when its last row was committed
    delivery_id      bigint not null,   -- file_id of the first file given in the same action: parts of one delivery add up
    door             varchar not null,  -- upload, command, api, folder, sql, demo
    name             varchar not null,  -- as given, inside a watched folder with its sub-folders; never a full path
    format           varchar,           -- as imports.format, of its first import; null when no format recognises it
    sha256           varchar,           -- of the file as given; null when it could not be opened
    bytes            bigint,            -- as given, before decompression
    modified_ns      bigint,            -- UTC ns the file was last written, of watched folders
    problem          varchar,           -- why it was not read to its end; null when it was
    rows_read        bigint not null,  -- rows found in it, as far as it was read
    rows_accepted    bigint not null,  -- rows that were new
    rows_quarantined bigint not null,  -- rows refused
    rows_duplicate   bigint not null   -- rows known before, also when the same bytes had come already
);

create table if not exists undone (
    import_id bigint not null,  -- the import whose rows no longer count
    undone_by bigint not null,  -- the import that undid it: versions before it still see the rows
    at_ns     bigint not null,  -- UTC ns
    reason    varchar not null  -- who or what asked
);

create table if not exists redelivered (
    import_id   bigint not null,  -- an import whose very bytes came again, so that nothing was stored
    delivery_id bigint not null   -- the delivery they came with: its lines are part of it
);

create table if not exists quarantine (
    import_id  bigint not null,   -- the import that brought the row
    row_number bigint not null,   -- 1-based position in the input: line, span ordinal, CSV row
    field      varchar,           -- the offending field, null when the whole row is bad
    reason     varchar not null,  -- what is wrong and what to do, one sentence
    row_text   varchar not null   -- the row as received, at most 4,000 characters, content keys removed
);

create table if not exists duplicates (
    import_id       bigint not null,   -- the import that brought the repetition
    table_name      varchar not null,  -- spans, cost_lines or imports
    row_key         varchar not null,  -- trace_id/span_id, line_key or sha256
    first_import_id bigint not null,   -- where it was seen first
    kind            varchar not null   -- 'exact' (dropped) or 'revision' (later content wins, both kept)
);

create table if not exists repairs (
    import_id bigint not null,   -- the import that brought the row
    row_key   varchar not null,  -- trace_id/span_id or line_key
    rule      varchar not null,  -- of core.ingest.otlp.repair.REPAIRS, or what a reader noted of a file (langfuse_next_page, ...)
    before    varchar,           -- value as received
    after     varchar,           -- value as stored; null when the repair declined
    applied   boolean not null,  -- false: the rule declined
    reason    varchar not null   -- why it acted or declined, one sentence
);

create table if not exists derivations (
    import_id     bigint not null,  -- calls, attempts and runs reflect every import up to this one
    at_ns         bigint not null,  -- UTC ns
    price_version varchar not null  -- catalogue version and overrides hash used for expected_usd
);

create table if not exists deletions (
    at_ns      bigint not null,   -- UTC ns
    reason     varchar not null,  -- 'retention', 'emptied' (the demo's button), 'erasure', 'redaction' (rows stay, without a name)
    before_day date not null,     -- rows dated before this UTC day are gone: a link that reaches there says so
    table_name varchar not null,  -- table the rows were deleted from
    row_count  bigint not null    -- rows deleted
);

create table if not exists spans (
    import_id                              bigint not null,   -- the import that brought the row
    trace_id                               varchar not null,  -- 32 lower-case hex
    span_id                                varchar not null,  -- 16 lower-case hex
    parent_span_id                         varchar,           -- null for a root
    name                                   varchar not null,  -- name as sent
    kind                                   varchar not null,  -- internal, server, client, producer, consumer, unspecified
    scope_name                             varchar,           -- instrumentation scope: tells the dialect
    scope_version                          varchar,           -- version of the instrumentation scope
    dialect                                varchar not null,  -- genai, openllmetry, openinference, anthropic_native, vercel_ai, langfuse, mcp, pydantic_ai, http, other
    service_name                           varchar,           -- resource service.name
    service_version                        varchar,           -- resource service.version
    service_instance_id                    varchar,           -- resource service.instance.id
    deployment_environment_name            varchar,           -- resource deployment.environment.name, or its older name
    cloud_region                           varchar,           -- of the calling app, or of the server's host name when it carries one
    host_id                                varchar,           -- host.id, host.name: the clock the times were read from
    started_at_ns                          bigint not null,   -- UTC ns
    ended_at_ns                            bigint not null,   -- UTC ns
    duration_ns                            bigint not null,   -- ended - started, never negative (see repairs)
    duration_bucket                        integer not null,  -- floor(ln(max(duration_ms, 0.001)) / ln(1.02)): mergeable quantiles, 1 % error
    day                                    date not null,     -- UTC day of the row's instant
    hour                                   bigint not null,   -- started_at_ns // 3.6e12
    status_code                            varchar not null,  -- UNSET, OK, ERROR as reported
    status_message_class                   varchar,           -- error class read from the message; the message itself is not kept
    error_type                             varchar,           -- error.type, else the exception event's type
    error_class                            varchar,           -- rate_limit, quota, overloaded, server, timeout, connection, bad_request, auth, not_found, parse, tool, cancelled, unknown; null = no error
    span_role                              varchar not null,  -- inference, tool, agent, workflow, http, retrieval, chain, app: what the ledger treats it as
    gen_ai_operation_name                  varchar,           -- chat, text_completion, embeddings, generate_content, execute_tool, invoke_agent, ...
    gen_ai_provider_name                   varchar,           -- openai, anthropic, aws.bedrock, ...
    gen_ai_request_model                   varchar,           -- the model asked for
    gen_ai_response_model                  varchar,           -- the dated snapshot that answered
    gen_ai_response_id                     varchar,           -- the provider's id of the answer
    provider_request_id                    varchar,           -- x-request-id / request-id header or anthropic.request.id
    gen_ai_request_stream                  boolean,           -- whether a stream was asked for; null = not said
    gen_ai_response_finish_reasons         varchar,           -- comma-separated
    gen_ai_response_time_to_first_chunk_ns bigint,            -- ns from the start of the call, retries included; null = not reported
    gen_ai_usage_input_tokens              bigint,            -- includes cache reads and writes (semconv); null = not reported, never 0
    gen_ai_usage_output_tokens             bigint,            -- includes reasoning
    gen_ai_usage_cache_read_input_tokens   bigint,            -- tokens, part of input_tokens
    gen_ai_usage_cache_write_input_tokens  bigint,            -- tokens, part of input_tokens
    gen_ai_usage_reasoning_output_tokens   bigint,            -- tokens, part of output_tokens
    service_tier                           varchar,           -- openai/anthropic response service tier: default, flex, priority, batch
    system_fingerprint                     varchar,           -- the provider's fingerprint of its back end
    reported_cost_usd                      decimal(24, 12),   -- what the instrumentation itself claims the call cost
    gen_ai_conversation_id                 varchar,           -- session, thread or conversation, as the application names it
    enduser_hash                           varchar,           -- 16 hex of sha256 of the user id: joins, does not name
    gen_ai_agent_name                      varchar,           -- agent that made the call
    gen_ai_workflow_name                   varchar,           -- workflow around it
    gen_ai_tool_name                       varchar,           -- tool that was called
    gen_ai_tool_call_id                    varchar,           -- the model's id of the tool call
    arguments_hash                         varchar,           -- 16 hex of sha256 of tool arguments or input messages: equality only
    max_retries_setting                    bigint,            -- ai.settings.maxRetries and the like
    server_address                         varchar,           -- host that was called
    url_path                               varchar,           -- path only: query strings carry secrets
    http_request_method                    varchar,           -- GET, POST, ...
    http_response_status_code              integer,           -- HTTP status; null = no answer
    http_request_resend_count              integer,           -- http.request.resend_count or retry-count header: 0 = first send
    retry_after_ns                         bigint,            -- from a captured retry-after header
    mcp_method_name                        varchar,           -- tools/call, tools/list, ...
    content_hash                           varchar not null,  -- 16 hex: tells an exact repeat from a revision
    attributes                             json               -- everything else, content keys dropped unless enabled
);

create table if not exists span_events (
    import_id  bigint not null,   -- the import that brought the row
    trace_id   varchar not null,  -- 32 lower-case hex
    span_id    varchar not null,  -- 16 lower-case hex
    name       varchar not null,  -- name as sent
    at_ns      bigint not null,   -- UTC ns
    day        date not null,     -- UTC day of the row's instant
    attributes json               -- everything else
);

create table if not exists streams (
    import_id          bigint not null,  -- the import that brought the row
    stream_key         varchar,          -- trace and span, or the recording's own id: a later row with it restates
    source             varchar,          -- chunk_events, first_token, messages (no times), recorder, vllm_bench: what measured
    trace_id           varchar,          -- 32 lower-case hex
    span_id            varchar,          -- 16 lower-case hex
    response_id        varchar,          -- the provider's id of the answer
    provider_name      varchar,          -- openai, anthropic, aws.bedrock, ...
    request_model      varchar,          -- the model asked for
    response_model     varchar,          -- the dated snapshot that answered
    version_label      varchar,          -- the recorder's own word for what answered: a deployment, a build
    cloud_region       varchar,          -- region of the calling app, or of the endpoint where the recorder names it
    service_name       varchar,          -- service that read the stream
    prompt_id          varchar,          -- the same prompt on both sides of a change has one id
    finish_reason      varchar,          -- comma-separated
    started_at_ns      bigint not null,  -- UTC ns
    day                date not null,    -- UTC day of the row's instant
    hour               bigint,           -- started_at_ns // 3.6e12
    chunk_count        bigint,           -- chunks seen; null: sizes were not recorded
    token_count        bigint,           -- tokens over all chunks, null when chunks carry no counts
    output_tokens      bigint,           -- as the provider counts, less reasoning that was not streamed; null = not reported
    char_count         bigint,           -- characters over all chunks, null when chunks carry no counts
    first_chunk_ms     double,           -- from request start
    last_chunk_ms      double,           -- ms from request start
    tokens_per_s       double,           -- after the first chunk
    chars_per_s        double,           -- after the first chunk
    gap_p50_ms         double,           -- median of gaps between chunks
    gap_p95_ms         double,           -- 95th percentile of gaps between chunks
    gap_p99_ms         double,           -- 99th percentile of gaps between chunks
    longest_gap_ms     double,           -- longest wait between two chunks, ms
    slow_gap_share     double,           -- share of gaps above 500 ms
    tool_pause_ms      double,           -- gap before the first chunk of a tool call; null without one
    preamble_chars     bigint,           -- characters of text before the first tool call; null without one, 0 = none
    reasoning_tokens   bigint,           -- reasoning tokens before the answer's first
    sentence_gap_ratio double,           -- median gap after a sentence's end over the median elsewhere
    t_ms               double[],         -- arrival of each chunk after request start
    tokens             integer[],        -- tokens of each chunk
    chars              integer[],        -- characters of each chunk
    kind               varchar[]         -- text, reasoning, tool_call
);

create table if not exists metric_points (
    import_id           bigint not null,   -- the import that brought the row
    name                varchar not null,  -- name as sent
    unit                varchar,           -- unit as sent (UCUM)
    kind                varchar not null,  -- sum, gauge, histogram, exponential_histogram
    temporality         varchar,           -- delta or cumulative: cumulative points are never added up
    monotonic           boolean,           -- whether a sum only grows
    started_at_ns       bigint,            -- start of the accumulation
    at_ns               bigint not null,   -- UTC ns
    day                 date not null,     -- UTC day of the row's instant
    service_name        varchar,           -- resource service.name
    cloud_region        varchar,           -- region of the calling app
    service_instance_id varchar,           -- resource service.instance.id
    value               double,            -- sum and gauge
    count               bigint,            -- histograms
    sum                 double,            -- histograms: sum of the values
    explicit_bounds     double[],          -- histograms: upper bounds of the buckets but the last
    bucket_counts       bigint[],          -- histograms: values in each bucket
    attributes          json               -- everything else
);

create table if not exists outcomes (
    import_id       bigint not null,   -- the import that brought the row
    outcome_key     varchar not null,  -- target, name, source and actor: revisions share it
    at_ns           bigint not null,   -- UTC ns
    day             date not null,     -- UTC day of the row's instant
    trace_id        varchar,           -- join keys, in the order they are tried
    span_id         varchar,           -- 16 lower-case hex
    response_id     varchar,           -- the provider's id of the answer
    conversation_id varchar,           -- gen_ai.conversation.id
    subject_hash    varchar,           -- 16 hex of sha256 of the person
    name            varchar not null,  -- conversion, task_success, user_feedback, ...
    value           double,            -- absent is not zero
    label           varchar,           -- the score as a word
    source          varchar not null,  -- human, model, code, business: never merged
    actor_hash      varchar,           -- 16 hex of sha256 of who gave it
    error_type      varchar,           -- the evaluator itself failed
    attributes      json               -- everything else
);

create table if not exists cost_lines (
    import_id              bigint not null,   -- the import that brought the row
    line_key               varchar not null,  -- natural key: a later import with the same key restates the line
    batch_key              varchar,           -- when a source restates whole periods (CUR): the period; null otherwise
    source_format          varchar not null,  -- focus, litellm, openai_usage, openai_costs, ...
    measure                varchar not null,  -- 'cost' (has money) or 'usage' (tokens and requests, no money): never added together
    provider_name          varchar,           -- gen_ai provider where it can be mapped, else as billed
    billing_account_id     varchar,           -- account the invoice goes to
    sub_account_id         varchar,           -- project, workspace, team
    api_key_id             varchar,           -- key the calls were made with
    invoice_id             varchar,           -- empty until the month closes
    region_id              varchar,           -- region as billed
    charge_period_start_ns bigint not null,   -- UTC ns
    charge_period_end_ns   bigint not null,   -- UTC ns, exclusive
    billing_period_start   date,              -- first UTC day of the billing period
    day                    date not null,     -- UTC day of charge_period_start
    hour                   bigint,            -- null when the grain is a day or longer
    charge_category        varchar not null,  -- Usage, Purchase, Tax, Credit, Adjustment
    charge_class           varchar,           -- 'Correction' or null
    charge_description     varchar,           -- as billed
    sku_id                 varchar,           -- as billed
    model                  varchar,           -- null = could not be mapped: shown as unmapped with its amount
    token_type             varchar,           -- input (uncached), cache_read, cache_write, output, reasoning, tool, request, mixed; null = unmapped
    tokens                 bigint,            -- tokens of that type; null when the line is not counted in tokens
    requests               bigint,            -- model calls behind the line, null when the bill does not say
    consumed_quantity      decimal(38, 12),   -- in consumed_unit
    consumed_unit          varchar,           -- as billed
    billed_cost            decimal(24, 12),   -- the invoice
    effective_cost         decimal(24, 12),   -- amortised usage: never added to billed_cost
    list_cost              decimal(24, 12),   -- at list prices
    billing_currency       varchar,           -- ISO 4217
    service_tier           varchar,           -- default, flex, priority, batch, ...
    batch                  boolean,           -- whether it came through a batch API
    response_id            varchar,           -- per-call bills: joins gen_ai.response.id
    gateway_call_id        varchar,           -- litellm_call_id and the like
    trace_id               varchar,           -- 32 lower-case hex
    attempted_retries      bigint,            -- gateway's own count
    status                 varchar,           -- success, failure: gateway rows
    tags                   json,              -- labels as billed
    delivery_id            bigint             -- files.delivery_id: of a batch_key only the newest delivery counts
);

create table if not exists callers (
    import_id      bigint not null,   -- the import that brought the row
    service_name   varchar not null,  -- resource service.name of the traces
    provider_name  varchar,           -- gen_ai provider whose bill it is; null = every provider
    sub_account_id varchar,           -- project or workspace on the bill that this service calls under
    api_key_id     varchar            -- key on the bill, where services share a project
);

create table if not exists eval_runs (
    import_id     bigint not null,   -- the import that brought the row
    run_id        varchar not null,  -- the tool's own id of the run
    tool          varchar not null,  -- inspect, lm_eval, promptfoo, ...
    task          varchar,           -- name of the eval
    task_version  varchar,           -- runs are compared only within one version
    model         varchar,           -- model under test, as the tool names it
    dataset_hash  varchar,           -- of the samples the run was given
    prompt_hash   varchar,           -- of the system prompt
    git_commit    varchar,           -- of the code that ran
    started_at_ns bigint,            -- UTC ns
    status        varchar,           -- as the tool says: success, error, cancelled, started
    n_total       bigint,            -- samples planned
    n_completed   bigint,            -- samples with a score
    n_error       bigint,            -- samples that errored: not failures
    region        varchar,           -- where the model was called
    quantization  varchar,           -- of the weights served, when known
    attributes    json               -- everything else
);

create table if not exists eval_samples (
    import_id  bigint not null,   -- the import that brought the row
    run_id     varchar not null,  -- eval_runs.run_id
    sample_id  varchar not null,  -- the tool's id of the sample within the task
    epoch      integer not null,  -- repetition, from 1
    scorer     varchar not null,  -- name of the score
    value      double,            -- score as a number; null when it has none
    label      varchar,           -- score as a word: C, I, refusal, ...
    verdict    varchar not null,  -- pass, fail, error, skipped
    item_id    varchar,           -- eval_items.item_id
    trace_id   varchar,           -- trace of the sample's calls, when recorded
    model      varchar,           -- model that answered
    arm        varchar,           -- experimental arm: image, text, both, ...
    slices     json,              -- language, length bucket, tier: what results are split by
    attributes json               -- everything else
);

create table if not exists eval_items (
    import_id       bigint not null,   -- the import that brought the row
    item_id         varchar not null,  -- stable id of the test item
    suite           varchar,           -- eval suite it belongs to
    source          varchar,           -- written, generated, production
    created_on      date,              -- UTC day it was written
    input_hash      varchar,           -- 16 hex of sha256 of the input
    input_text      varchar,           -- the input itself, only when content capture is on
    target_hash     varchar,           -- 16 hex of sha256 of the expected answer
    source_trace_id varchar,           -- production trace it was taken from
    subject_hash    varchar,           -- 16 hex of sha256 of the person it tells of
    twin_of         varchar,           -- item_id of the same task in another skin
    canary_guid     varchar,           -- marker planted to find leaks
    store           varchar,           -- where the item is kept
    reader_groups   varchar,           -- who may read it, comma-separated
    attributes      json               -- everything else
);

-- No reader fills these yet and no audit reads them: tickets, artifacts, artifact_edges, entity_changes, erasure_requests.
create table if not exists tickets (
    import_id      bigint not null,   -- the import that brought the row
    ticket_id      varchar not null,  -- the desk's id
    created_at_ns  bigint not null,   -- UTC ns
    solved_at_ns   bigint,            -- UTC ns; null = open
    day            date not null,     -- UTC day of created_at_ns
    handled_by     varchar,           -- ai or human
    agent_hash     varchar,           -- 16 hex of sha256 of the person who handled it
    category       varchar,           -- the desk's category
    priority       varchar,           -- the desk's priority
    handle_minutes double,            -- working time, minutes
    reassignments  bigint,            -- times it changed hands
    reopens        bigint,            -- times it was opened again
    replies        bigint,            -- public replies
    csat           double,            -- satisfaction as the desk scores it; null = not rated
    shift_id       varchar,           -- shift that handled it
    attributes     json               -- everything else
);

create table if not exists artifacts (
    import_id     bigint not null,   -- the import that brought the row
    artifact_id   varchar not null,  -- stable id: hash or path with version
    kind          varchar not null,  -- prompt, prompt_rule, dataset, training_run, checkpoint, deployment, ...
    name          varchar,           -- name people use
    version       varchar,           -- version or commit
    created_at_ns bigint,            -- UTC ns
    content_hash  varchar,           -- 16 hex of sha256 of the content
    text          varchar,           -- content, only when it is meant to be read (prompts)
    attributes    json               -- everything else
);

create table if not exists artifact_edges (
    import_id bigint not null,   -- the import that brought the row
    from_id   varchar not null,  -- artifacts.artifact_id
    to_id     varchar not null,  -- artifacts.artifact_id or eval_items.item_id
    kind      varchar not null,  -- contains, covers, derived_from, deployed_as
    evidence  varchar            -- what says so: a tag, a commit, a person
);

create table if not exists probes (
    import_id          bigint not null,   -- the import that brought the row
    probe_id           varchar not null,  -- one measurement made on purpose
    kind               varchar not null,  -- model, browser, cache, canary, ...
    prompt_id          varchar,           -- which fixed prompt
    region             varchar,           -- region it was sent to
    at_ns              bigint not null,   -- UTC ns
    day                date not null,     -- UTC day of at_ns
    request_model      varchar,           -- model asked for
    response_model     varchar,           -- model that says it answered
    system_fingerprint varchar,           -- provider's fingerprint of the back end
    input_tokens       bigint,            -- tokens as the provider counted them
    output_tokens      bigint,            -- tokens as the provider counted them
    first_chunk_ms     double,            -- ms from request to first chunk
    last_chunk_ms      double,            -- ms from request to the end of the answer
    finish_reason      varchar,           -- stop, length, ...
    refusal            boolean,           -- whether the answer refuses
    format_ok          boolean,           -- whether the answer has the form asked for
    score              double,            -- task score, 0 to 1
    scorer             varchar,           -- what gave the score and how it reads an answer: two parsers are two measures
    text               varchar,           -- the answer, at most 4,000 characters: probes are prompts written on purpose
    text_chars         bigint,            -- characters of the whole answer
    text_hash          varchar,           -- 16 hex of sha256 of the answer
    header_names       varchar,           -- names of the response's headers, sorted, comma-separated
    features           json,              -- numbers computed from the answer
    attributes         json               -- everything else
);

create table if not exists responses (
    import_id    bigint not null,   -- the import that brought the row
    response_key varchar not null,  -- the source's id of the answer: a later import with it restates the row
    at_ns        bigint not null,   -- UTC ns
    day          date not null,     -- UTC day of at_ns
    trace_id     varchar,           -- join keys to calls, where known
    span_id      varchar,           -- 16 lower-case hex
    response_id  varchar,           -- the provider's id of the answer
    prompt_id    varchar,           -- which prompt was answered: answers to one prompt are compared with each other
    pair_id      varchar,           -- two answers shown side by side share it
    chosen       boolean,           -- whether this answer of the pair was preferred
    chosen_by    varchar,           -- human, model, code: who preferred
    checkpoint   varchar,           -- which training checkpoint or release answered
    model        varchar,           -- gen_ai.request.model
    region       varchar,           -- where it was answered
    service_name varchar,           -- who asked
    language     varchar,           -- BCP 47, as known or as guessed by the word lists
    reward       double,            -- score of the reward model; its scale is the source's own
    kl           double,            -- divergence from the reference policy, nats, where logged
    correct      boolean,           -- whether the answer was right, by a check that is not the reward
    length_chars bigint,            -- characters
    apologies    bigint,            -- phrases of the word list found
    caveats      bigint,            -- phrases of the word list found
    hedges       bigint,            -- phrases of the word list found
    refusals     bigint,            -- phrases of the word list found
    bullets      bigint,            -- list items
    boxed        bigint,            -- boxed final answers
    agreements   bigint,            -- phrases of the word list found
    word_list    varchar,           -- version of the word list that counted, or the source's own name for it
    attributes   json               -- everything else
);

create table if not exists entity_changes (
    import_id     bigint not null,   -- the import that brought the row
    entity_key    varchar not null,  -- what changed: order/123
    field         varchar,           -- which field of it
    changed_at_ns bigint not null,   -- UTC ns
    old_hash      varchar,           -- 16 hex of sha256 of the value before
    new_hash      varchar,           -- 16 hex of sha256 of the value after
    source        varchar            -- system of record that says so
);

create table if not exists erasure_requests (
    import_id       bigint not null,   -- the import that brought the row
    request_id      varchar not null,  -- the request's own id
    subject_hash    varchar not null,  -- 16 hex of sha256 of the person
    received_at_ns  bigint not null,   -- UTC ns
    due_at_ns       bigint,            -- UTC ns of the legal deadline
    completed_at_ns bigint,            -- UTC ns; null = open
    status          varchar            -- as the process names it
);

create table if not exists change_events (
    import_id    bigint not null,   -- the import that brought the row
    event_id     varchar not null,  -- stable id: a later import with it restates the event
    at_ns        bigint not null,   -- UTC ns
    day          date not null,     -- UTC day of at_ns
    kind         varchar not null,  -- deploy, release, checkpoint, incident, price, limit, holiday
    title        varchar not null,  -- what a chart writes beside the mark
    service_name varchar,           -- null = all services
    region       varchar,           -- null = all regions
    model        varchar,           -- null = all models
    attributes   json               -- everything else
);

-- What audits said, kept so that the board opens without asking again and shows since when a status holds.
create table if not exists findings (
    version    bigint not null,   -- data version it was computed at: the as_of of its scope
    scope_key  varchar not null,  -- the scope as an address writes it, without as_of
    standard   boolean not null,  -- the board's own scope: newest 28 days, everything, no choices
    audit      varchar not null,  -- the audit's module
    at_ns      bigint not null,   -- UTC ns, when it was computed
    took_ms    double not null,   -- ms to load, measure and judge
    newest_day date,              -- last UTC day on which a table the audit needs has rows in scope
    status     varchar not null,  -- holds, watch, broken, cannot tell
    reported   varchar not null,  -- ready to show
    supported  varchar not null,  -- ready to show
    gap        double,            -- in `unit`; null = none
    low        double,            -- lower end of the gap's interval
    high       double,            -- upper end of the gap's interval
    unit       varchar not null,  -- share, points, count, ratio, score, ms or a currency: core.amounts
    n          bigint not null,   -- rows, items or runs behind it
    sentence   varchar not null,  -- ready to show
    missing    varchar not null,  -- what is missing and how to supply it; empty = nothing
    bounds     varchar not null   -- what low and high are
);

-- Derived from spans: rebuilt per trace whenever a span of it arrives. A row is in force from import_id
-- until superseded_by (9223372036854775807 = still in force), so "as of N" is
-- import_id <= N and superseded_by > N, without a window function.
create table if not exists runs (
    import_id                   bigint not null,   -- the import that brought the row
    superseded_by               bigint not null,   -- the import that replaced it; the largest integer = in force
    trace_id                    varchar not null,  -- a run is a trace
    run_name                    varchar not null,  -- name of the root, or of the top-most span seen
    service_name                varchar,           -- of that span
    cloud_region                varchar,           -- of that span, else the first one any span names
    deployment_environment_name varchar,           -- of that span
    started_at_ns               bigint not null,   -- UTC ns
    day                         date not null,     -- UTC day of started_at_ns
    hour                        bigint not null,   -- hours since the epoch
    duration_ns                 bigint not null,   -- from its start to the last end of any span
    root_seen                   boolean not null,  -- false: the root span has not arrived (yet)
    ok                          boolean not null,  -- root and top-most agent ended without error and, if any step exists, the last one succeeded
    conversation_id             varchar,           -- gen_ai.conversation.id, the first one any span names
    enduser_hash                varchar            -- as in spans
);

create table if not exists calls (
    import_id           bigint not null,   -- the import that brought the row
    superseded_by       bigint not null,   -- the import that replaced it; the largest integer = in force
    trace_id            varchar not null,  -- 32 lower-case hex
    span_id             varchar not null,  -- the span that stands for the logical call
    line_kind           varchar not null,  -- inference or tool
    operation           varchar not null,  -- gen_ai.operation.name; 'http' for bare HTTP calls to a model host
    service_name        varchar,           -- resource service.name
    cloud_region        varchar,           -- region of the calling app
    provider            varchar,           -- gen_ai provider name
    request_model       varchar,           -- model asked for
    response_model      varchar,           -- model that answered
    tool_name           varchar,           -- tool that was called
    dialect             varchar not null,  -- as in spans
    started_at_ns       bigint not null,   -- UTC ns
    day                 date not null,     -- UTC day of the row's instant
    hour                bigint not null,   -- hours since the epoch
    duration_ns         bigint not null,   -- ns
    duration_bucket     integer not null,  -- as in spans
    ok                  boolean not null,  -- whether it succeeded
    error_class         varchar,           -- as in spans; null = no error
    attempts            integer,           -- sends to the provider; null = unobservable, never 0
    failed_attempts     integer,           -- null with attempts
    grade               varchar not null,  -- declared, observed, inferred, unobservable
    evidence            varchar not null,  -- one sentence: which spans or attributes said so
    waiting_ns          bigint,            -- time not spent in the last attempt: back-off and failed attempts
    response_id         varchar,           -- the provider's id of the answer
    provider_request_id varchar,           -- request id of the last send, where captured
    orphan              boolean not null,  -- its parent span has not arrived
    removed_rule        varchar,           -- double counting, a rule of core.ledger.dedup: response_id, tool_call_id, ancestry, roll_up, containment; null = counted
    kept_span_id        varchar            -- the call it repeats
);

create table if not exists attempts (
    import_id                 bigint not null,   -- the import that brought the row
    superseded_by             bigint not null,   -- the import that replaced it; the largest integer = in force
    trace_id                  varchar not null,  -- the run
    operation_id              varchar not null,  -- span id of the operation's first call: one operation may span several calls (app retries)
    operation                 varchar not null,  -- gen_ai.operation.name of its first call
    attempt_number            integer not null,  -- 1-based within the operation
    line_kind                 varchar not null,  -- inference or tool: an agent step's attempt has one inference line and any tool lines
    call_span_id              varchar not null,  -- the logical call it belongs to (calls.span_id)
    span_id                   varchar not null,  -- the span that shows it (HTTP span, doGenerate, or the call itself)
    retry_kind                varchar not null,  -- first, sdk_retry, app_retry, fallback, validation_retry, step_retry, tool_retry
    grade                     varchar not null,  -- as in calls
    service_name              varchar,           -- resource service.name
    cloud_region              varchar,           -- region of the calling app
    provider                  varchar,           -- gen_ai provider name
    model                     varchar,           -- response model, else request model
    tool_name                 varchar,           -- tool that was called
    started_at_ns             bigint not null,   -- UTC ns
    day                       date not null,     -- UTC day of the row's instant
    hour                      bigint not null,   -- hours since the epoch
    duration_ns               bigint not null,   -- ns
    ok                        boolean not null,  -- this line succeeded
    attempt_ok                boolean not null,  -- every line succeeded and the step span around them did not end in error
    rescued                   boolean not null,  -- attempt failed and a later attempt of the operation succeeded
    last_success              boolean not null,  -- belongs to the run's last successful attempt: the converting one if the run converted
    orphan                    boolean not null,  -- as in calls
    error_class               varchar,           -- as in spans; null = no error
    http_response_status_code integer,           -- HTTP status; null = no answer
    response_id               varchar,           -- the provider's id of the answer
    provider_request_id       varchar,           -- request id of the last send, where captured
    input_tokens              bigint,            -- tokens, cache included; on the line that carries the usage
    output_tokens             bigint,            -- tokens, reasoning included
    cache_read_tokens         bigint,            -- tokens, part of input_tokens
    cache_write_tokens        bigint,            -- tokens, part of input_tokens
    reasoning_tokens          bigint,            -- tokens, part of output_tokens
    expected_usd              decimal(24, 12),   -- catalogue, override or reported price; null = unpriced or usage unknown; in the configured currency
    price_source              varchar not null,  -- override, catalogue, reported, not_billable, usage_unknown, unknown_model, other_currency, no_tool_price
    billable                  varchar not null,  -- yes, no, maybe: from the provider's billability rules
    removed_rule              varchar            -- as in calls
);

-- Hourly sums of attempts and calls, derived with them (core/ledger/rollups.py). Additive: as of N is the sum of the
-- rows with import_id <= N; what was replaced at a version is subtracted under it, so a single row may be negative.
create table if not exists attempt_hours (
    import_id       bigint not null,         -- the data version from which the sums hold
    day             date not null,           -- UTC day of the hour
    hour            bigint not null,         -- hours since the epoch
    cloud_region    varchar,                 -- as in attempts
    service_name    varchar,                 -- as in attempts
    provider        varchar,                 -- as in attempts
    model           varchar,                 -- as in attempts
    line_kind       varchar not null,        -- inference or tool
    error_class     varchar,                 -- as in attempts; null = no error
    counted         boolean not null,        -- false: attempts of calls that were told twice
    attempts        bigint not null,         -- attempt lines
    without_usage   bigint not null,         -- of them, those with neither input nor output tokens
    input_tokens    bigint not null,         -- tokens, cache included
    output_tokens   bigint not null,         -- tokens, reasoning included
    cached_tokens   bigint not null,         -- tokens read from or written to a cache, part of input_tokens
    priced_attempts bigint not null,         -- attempt lines with a price
    priced_tokens   bigint not null,         -- input and output tokens of those
    expected_usd    decimal(38, 12) not null -- money of those, in the configured currency
);

create table if not exists call_hours (
    import_id       bigint not null,  -- the data version from which the counts hold
    day             date not null,    -- UTC day of the hour
    hour            bigint not null,  -- hours since the epoch
    cloud_region    varchar,          -- as in calls
    service_name    varchar,          -- as in calls
    model           varchar,          -- response model, else request model
    line_kind       varchar not null, -- inference or tool
    ok              boolean not null, -- whether the calls succeeded
    duration_bucket integer not null, -- as in spans
    calls           bigint not null   -- calls that are counted
);
