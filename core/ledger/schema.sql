-- The ledger. One file, one owner (the app process), nothing updated in place except the two
-- derived columns named superseded_by, which can always be rebuilt from the rows themselves.
--
-- Conventions: names are OpenTelemetry attributes with dots as underscores, or FOCUS columns in
-- snake_case. Instants are UTC nanoseconds since the epoch (BIGINT, suffix _ns); day is the UTC date
-- and hour the whole hours since the epoch, both computed at ingest so that no page truncates
-- timestamps. Money is DECIMAL(24, 12) in the row's own currency. import_id is the import that
-- brought the row and, at the same time, the data version: a query "as of N" sees import_id <= N.

create table if not exists schema_version (
    version    integer   not null,  -- number of the newest migration applied
    applied_at timestamp not null   -- UTC
);

create table if not exists imports (
    import_id        bigint    not null,  -- monotonic, starts at 1: the data version
    at_ns            bigint    not null,  -- UTC ns when it was committed
    source           varchar   not null,  -- 'otlp/http', a file's name, 'demo'; never a full path
    format           varchar   not null,  -- a name from core.ingest.formats.FORMATS
    sha256           varchar   not null,  -- of the bytes as received (after decompression)
    rows_read        bigint    not null,  -- rows found in the input
    rows_accepted    bigint    not null,  -- rows now in the ledger
    rows_quarantined bigint    not null,  -- rows refused, each one in quarantine
    rows_duplicate   bigint    not null,  -- rows already known, counted and not stored again
    min_event_ns     bigint,              -- earliest event in it, UTC ns; null when it has no times
    max_event_ns     bigint,              -- latest event in it
    demo             boolean   not null   -- true for rows made by data/demo
);

create table if not exists quarantine (
    import_id bigint  not null,
    row_number bigint not null,  -- 1-based position in the input: line, span ordinal, CSV row
    field     varchar,           -- the offending field, null when the whole row is bad
    reason    varchar not null,  -- what is wrong and what to do, one sentence
    row_text  varchar not null   -- the row as received, at most 4,000 characters, content keys removed
);

create table if not exists duplicates (
    import_id       bigint  not null,  -- the import that brought the repetition
    table_name      varchar not null,  -- 'spans' or 'cost_lines' or 'imports'
    row_key         varchar not null,  -- trace_id/span_id, line_key or sha256
    first_import_id bigint  not null,  -- where it was seen first
    kind            varchar not null   -- 'exact' (dropped) or 'revision' (later content wins, both kept)
);

create table if not exists repairs (
    import_id bigint  not null,
    row_key   varchar not null,  -- trace_id/span_id or line_key
    rule      varchar not null,  -- a name from core.ingest.repair.REPAIRS
    before    varchar,           -- value as received
    after     varchar,           -- value as stored; null when the repair declined
    applied   boolean not null   -- false: the rule declined, reason says why
    , reason  varchar not null
);

create table if not exists derivations (
    import_id bigint not null,  -- calls, attempts and runs reflect every import up to this one
    at_ns     bigint not null,  -- UTC ns
    price_version varchar not null  -- catalogue version and overrides hash used for expected_usd
);

create table if not exists deletions (
    at_ns      bigint  not null,  -- UTC ns
    reason     varchar not null,  -- 'retention'
    before_day date    not null,  -- rows dated before this UTC day are gone: a link that reaches there says so
    table_name varchar not null,
    row_count  bigint  not null
);

create table if not exists spans (
    import_id        bigint  not null,
    trace_id         varchar not null,  -- 32 lower-case hex
    span_id          varchar not null,  -- 16 lower-case hex
    parent_span_id   varchar,           -- null for a root
    name             varchar not null,
    kind             varchar not null,  -- internal, server, client, producer, consumer, unspecified
    scope_name       varchar,           -- instrumentation scope: tells the dialect
    scope_version    varchar,
    dialect          varchar not null,  -- genai, openllmetry, openinference, anthropic_native, vercel_ai, langfuse, mcp, pydantic_ai, http, other
    service_name     varchar,           -- resource service.name
    service_version  varchar,
    service_instance_id varchar,
    deployment_environment_name varchar,
    cloud_region     varchar,           -- of the calling app, or of the server's host name when it carries one
    host_id          varchar,           -- host.id, host.name: the clock the times were read from
    started_at_ns    bigint  not null,
    ended_at_ns      bigint  not null,
    duration_ns      bigint  not null,  -- ended - started, never negative (see repairs)
    duration_bucket  integer not null,  -- floor(ln(max(duration_ms, 0.001)) / ln(1.02)): mergeable quantiles, 1 % error
    day              date    not null,
    hour             bigint  not null,  -- started_at_ns // 3.6e12
    status_code      varchar not null,  -- UNSET, OK, ERROR as reported
    status_message_class varchar,       -- error class read from the message; the message itself is not kept
    error_type       varchar,           -- error.type, else the exception event's type
    error_class      varchar,           -- rate_limit, quota, overloaded, server, timeout, connection, bad_request, auth, not_found, parse, tool, cancelled, unknown; null = no error
    span_role        varchar not null,  -- inference, tool, agent, workflow, http, retrieval, chain, app: what the ledger treats it as
    gen_ai_operation_name varchar,      -- chat, text_completion, embeddings, generate_content, execute_tool, invoke_agent, ...
    gen_ai_provider_name  varchar,      -- openai, anthropic, aws.bedrock, ...
    gen_ai_request_model  varchar,
    gen_ai_response_model varchar,      -- the dated snapshot that answered
    gen_ai_response_id    varchar,
    provider_request_id   varchar,      -- x-request-id / request-id header or anthropic.request.id
    gen_ai_request_stream boolean,
    gen_ai_response_finish_reasons varchar,  -- comma-separated
    gen_ai_response_time_to_first_chunk_ns bigint,
    gen_ai_usage_input_tokens  bigint,  -- includes cache reads and writes (semconv); null = not reported, never 0
    gen_ai_usage_output_tokens bigint,  -- includes reasoning
    gen_ai_usage_cache_read_input_tokens  bigint,
    gen_ai_usage_cache_write_input_tokens bigint,
    gen_ai_usage_reasoning_output_tokens  bigint,
    service_tier          varchar,      -- openai/anthropic response service tier: default, flex, priority, batch
    system_fingerprint    varchar,
    reported_cost_usd     decimal(24, 12),  -- what the instrumentation itself claims the call cost
    gen_ai_conversation_id varchar,
    enduser_hash          varchar,      -- 16 hex of sha256 of the user id: joins, does not name
    gen_ai_agent_name     varchar,
    gen_ai_workflow_name  varchar,
    gen_ai_tool_name      varchar,
    gen_ai_tool_call_id   varchar,
    arguments_hash        varchar,      -- 16 hex of sha256 of tool arguments or input messages: equality only
    max_retries_setting   bigint,       -- ai.settings.maxRetries and the like
    server_address        varchar,
    url_path              varchar,      -- path only: query strings carry secrets
    http_request_method   varchar,
    http_response_status_code integer,
    http_request_resend_count integer,  -- http.request.resend_count or retry-count header: 0 = first send
    retry_after_ns        bigint,       -- from a captured retry-after header
    mcp_method_name       varchar,
    content_hash          varchar not null,  -- 16 hex: tells an exact repeat from a revision
    attributes            json               -- everything else, content keys dropped unless enabled
);

create table if not exists span_events (
    import_id bigint  not null,
    trace_id  varchar not null,
    span_id   varchar not null,
    name      varchar not null,
    at_ns     bigint  not null,
    day       date    not null,
    attributes json
);

create table if not exists streams (
    import_id bigint  not null,
    trace_id  varchar,
    span_id   varchar,
    response_id varchar,
    started_at_ns bigint not null,
    day       date    not null,
    chunk_count bigint,            -- chunks seen
    token_count bigint,            -- tokens over all chunks, null when chunks carry no counts
    first_chunk_ms double,         -- from request start
    last_chunk_ms  double,
    gap_p95_ms     double,         -- 95th percentile of gaps between chunks
    longest_gap_ms double,
    t_ms    double[],              -- arrival of each chunk after request start
    tokens  integer[],
    chars   integer[],
    kind    varchar[]              -- text, reasoning, tool_call
);

create table if not exists metric_points (
    import_id bigint  not null,
    name      varchar not null,
    unit      varchar,
    kind      varchar not null,    -- sum, gauge, histogram, exponential_histogram
    temporality varchar,           -- delta or cumulative: cumulative points are never added up
    monotonic boolean,
    started_at_ns bigint,          -- start of the accumulation
    at_ns     bigint  not null,
    day       date    not null,
    service_name varchar,
    cloud_region varchar,
    service_instance_id varchar,
    value     double,              -- sum and gauge
    count     bigint,              -- histograms
    sum       double,
    explicit_bounds double[],
    bucket_counts   bigint[],
    attributes json
);

create table if not exists outcomes (
    import_id   bigint  not null,
    outcome_key varchar not null,  -- target, name, source and actor: revisions share it
    at_ns       bigint  not null,
    day         date    not null,
    trace_id    varchar,           -- join keys, in the order they are tried
    span_id     varchar,
    response_id varchar,
    conversation_id varchar,
    subject_hash varchar,
    name        varchar not null,  -- conversion, task_success, user_feedback, ...
    value       double,            -- absent is not zero
    label       varchar,
    source      varchar not null,  -- human, model, code, business: never merged
    actor_hash  varchar,
    error_type  varchar,           -- the evaluator itself failed
    attributes  json
);

create table if not exists cost_lines (
    import_id    bigint  not null,
    line_key     varchar not null,  -- natural key: a later import with the same key restates the line
    batch_key    varchar,           -- when a source restates whole periods (CUR): the period; null otherwise
    source_format varchar not null, -- focus, litellm, openai_usage, openai_costs, ...
    measure      varchar not null,  -- 'cost' (has money) or 'usage' (tokens and requests, no money): never added together
    provider_name varchar,          -- gen_ai provider where it can be mapped, else as billed
    billing_account_id varchar,
    sub_account_id varchar,         -- project, workspace, team
    api_key_id   varchar,
    invoice_id   varchar,
    region_id    varchar,
    charge_period_start_ns bigint not null,
    charge_period_end_ns   bigint not null,
    billing_period_start   date,
    day          date    not null,  -- UTC day of charge_period_start
    hour         bigint,            -- null when the grain is a day or longer
    charge_category varchar not null,  -- Usage, Purchase, Tax, Credit, Adjustment
    charge_class varchar,           -- 'Correction' or null
    charge_description varchar,
    sku_id       varchar,
    model        varchar,           -- null = could not be mapped: shown as unmapped with its amount
    token_type   varchar,           -- input (uncached), cache_read, cache_write, output, reasoning, tool, request, mixed; null = unmapped
    tokens       bigint,            -- tokens of that type; null when the line is not counted in tokens
    requests     bigint,            -- model calls behind the line, null when the bill does not say
    consumed_quantity decimal(38, 12),
    consumed_unit varchar,
    billed_cost  decimal(24, 12),   -- the invoice
    effective_cost decimal(24, 12), -- amortised usage: never added to billed_cost
    list_cost    decimal(24, 12),
    billing_currency varchar,
    service_tier varchar,
    batch        boolean,
    response_id  varchar,           -- per-call bills: joins gen_ai.response.id
    gateway_call_id varchar,        -- litellm_call_id and the like
    trace_id     varchar,
    attempted_retries bigint,       -- gateway's own count
    status       varchar,           -- success, failure: gateway rows
    tags         json
);

create table if not exists eval_runs (
    import_id bigint not null, run_id varchar not null, tool varchar not null, task varchar, task_version varchar,
    model varchar, dataset_hash varchar, prompt_hash varchar, git_commit varchar, started_at_ns bigint, status varchar,
    n_total bigint,      -- samples planned
    n_completed bigint,  -- samples with a score
    n_error bigint,      -- samples that errored: not failures
    region varchar, quantization varchar, attributes json
);
create table if not exists eval_samples (
    import_id bigint not null, run_id varchar not null, sample_id varchar not null, epoch integer not null,
    scorer varchar not null, value double, label varchar,
    verdict varchar not null,  -- pass, fail, error, skipped
    item_id varchar, trace_id varchar, model varchar, arm varchar, slices json, attributes json
);
create table if not exists eval_items (
    import_id bigint not null, item_id varchar not null, suite varchar, source varchar, created_on date,
    input_hash varchar, input_text varchar, target_hash varchar, source_trace_id varchar, subject_hash varchar,
    twin_of varchar, canary_guid varchar, store varchar, reader_groups varchar, attributes json
);
create table if not exists tickets (
    import_id bigint not null, ticket_id varchar not null, created_at_ns bigint not null, solved_at_ns bigint, day date not null,
    handled_by varchar, agent_hash varchar, category varchar, priority varchar, handle_minutes double,
    reassignments bigint, reopens bigint, replies bigint, csat double, shift_id varchar, attributes json
);
create table if not exists artifacts (
    import_id bigint not null, artifact_id varchar not null, kind varchar not null, name varchar, version varchar,
    created_at_ns bigint, content_hash varchar, text varchar, attributes json
);
create table if not exists artifact_edges (
    import_id bigint not null, from_id varchar not null, to_id varchar not null, kind varchar not null, evidence varchar
);
create table if not exists probes (
    import_id bigint not null, probe_id varchar not null, kind varchar not null, prompt_id varchar, region varchar,
    at_ns bigint not null, day date not null, request_model varchar, response_model varchar, system_fingerprint varchar,
    input_tokens bigint, output_tokens bigint, first_chunk_ms double, finish_reason varchar, refusal boolean,
    format_ok boolean, score double, text_hash varchar, features json, attributes json
);
create table if not exists entity_changes (
    import_id bigint not null, entity_key varchar not null, field varchar, changed_at_ns bigint not null,
    old_hash varchar, new_hash varchar, source varchar
);
create table if not exists erasure_requests (
    import_id bigint not null, request_id varchar not null, subject_hash varchar not null,
    received_at_ns bigint not null, due_at_ns bigint, completed_at_ns bigint, status varchar
);
create table if not exists change_events (
    import_id bigint not null, event_id varchar not null, at_ns bigint not null, day date not null,
    kind varchar not null,  -- deploy, release, checkpoint, incident, price, limit, holiday
    title varchar not null, service_name varchar, region varchar, model varchar, attributes json
);

-- Derived from spans: rebuilt per trace whenever a span of it arrives. A row is in force from import_id
-- until superseded_by (9223372036854775807 = still in force), so "as of N" is
-- import_id <= N and superseded_by > N, without a window function.
create table if not exists runs (
    import_id bigint not null, superseded_by bigint not null,
    trace_id varchar not null,         -- a run is a trace
    run_name varchar not null,         -- name of the root, or of the top-most span seen
    service_name varchar, cloud_region varchar, deployment_environment_name varchar,
    started_at_ns bigint not null, day date not null, hour bigint not null, duration_ns bigint not null,
    root_seen boolean not null,        -- false: the root span has not arrived (yet)
    ok boolean not null,               -- root and top-most agent ended without error and, if any step exists, the last one succeeded
    conversation_id varchar,
    enduser_hash varchar
);
create table if not exists calls (
    import_id bigint not null, superseded_by bigint not null,
    trace_id varchar not null,
    span_id varchar not null,          -- the span that stands for the logical call
    line_kind varchar not null,        -- inference or tool
    operation varchar not null,        -- gen_ai.operation.name; 'http' for bare HTTP calls to a model host
    service_name varchar, cloud_region varchar,
    provider varchar, request_model varchar, response_model varchar, tool_name varchar, dialect varchar not null,
    started_at_ns bigint not null, day date not null, hour bigint not null, duration_ns bigint not null, duration_bucket integer not null,
    ok boolean not null, error_class varchar,
    attempts integer,                  -- sends to the provider; null = unobservable, never 0
    failed_attempts integer,           -- null with attempts
    grade varchar not null,            -- declared, observed, inferred, unobservable
    evidence varchar not null,         -- one sentence: which spans or attributes said so
    waiting_ns bigint,                 -- time not spent in the last attempt: back-off and failed attempts
    response_id varchar, provider_request_id varchar,
    orphan boolean not null,           -- its parent span has not arrived
    removed_rule varchar,              -- double counting: response_id, ancestry, containment, roll_up; null = counted
    kept_span_id varchar               -- the call it repeats
);
create table if not exists attempts (
    import_id bigint not null, superseded_by bigint not null,
    trace_id varchar not null,         -- the run
    operation_id varchar not null,     -- span id of the operation's first call: one operation may span several calls (app retries)
    operation varchar not null,
    attempt_number integer not null,   -- 1-based within the operation
    line_kind varchar not null,        -- inference or tool: an agent step's attempt has one inference line and any tool lines
    call_span_id varchar not null,     -- the logical call it belongs to (calls.span_id)
    span_id varchar not null,          -- the span that shows it (HTTP span, doGenerate, or the call itself)
    retry_kind varchar not null,       -- first, sdk_retry, app_retry, fallback, validation_retry, step_retry, tool_retry
    grade varchar not null,
    service_name varchar, cloud_region varchar,
    provider varchar, model varchar,   -- response model, else request model
    tool_name varchar,
    started_at_ns bigint not null, day date not null, hour bigint not null, duration_ns bigint not null,
    ok boolean not null,               -- this line succeeded
    attempt_ok boolean not null,       -- every line succeeded and the step span around them did not end in error
    rescued boolean not null,          -- attempt failed and a later attempt of the operation succeeded
    last_success boolean not null,     -- belongs to the run's last successful attempt: the converting one if the run converted
    orphan boolean not null,
    error_class varchar, http_response_status_code integer,
    response_id varchar, provider_request_id varchar,
    input_tokens bigint, output_tokens bigint, cache_read_tokens bigint, cache_write_tokens bigint, reasoning_tokens bigint,
    expected_usd decimal(24, 12),      -- catalogue, override or reported price; null = unpriced or usage unknown; in the configured currency
    price_source varchar not null,     -- override, catalogue, reported, not_billable, usage_unknown, unknown_model, other_currency, no_tool_price
    billable varchar not null,         -- yes, no, maybe: from the provider's billability rules
    removed_rule varchar               -- as in calls
);
