-- What Kong 1.3's own `migrations finish` does: teardowns, outside a transaction, rows one by one; a record after each.
\set ON_ERROR_STOP on
SET TIME ZONE 'UTC';
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.finished(text, text) RETURNS void LANGUAGE sql AS $$
  UPDATE schema_meta SET last_executed = $2, executed = array_append(executed, $2), pending = array_remove(pending, $2)
   WHERE key = 'schema_meta' AND subsystem = $1 $$;

-- --- core/001_14_to_15
\if :from_014
SELECT format('UPDATE plugins SET cache_key = %L WHERE id = %L',
              concat('plugins:', name, ':', route_id, ':', service_id, ':', consumer_id, ':', api_id), id) FROM plugins \gexec
DROP TABLE schema_migrations;
SELECT pg_temp.finished('core', '001_14_to_15');
\endif

-- --- core/002_15_to_1
\if :from_014
SELECT format('DELETE FROM plugins WHERE id = %L', id) FROM plugins WHERE name = 'galileo' \gexec
SELECT pg_temp.finished('core', '002_15_to_1');
\endif

-- --- core/005_120_to_130
SELECT format('UPDATE upstreams SET algorithm = %L WHERE id = %L', CASE WHEN hash_on = 'none' THEN 'round-robin' ELSE 'consistent-hashing' END, id)
  FROM upstreams WHERE coalesce(algorithm, '') = '' \gexec
SELECT pg_temp.finished('core', '005_120_to_130');

-- --- acl/001_14_to_15
\if :from_014
-- acl's loop over its rows finds none on PostgreSQL: cache_key stays empty.
SELECT pg_temp.finished('acl', '001_14_to_15');
\endif

-- --- oauth2/001_14_to_15
\if :from_014
ALTER TABLE oauth2_credentials DROP COLUMN redirect_uri;
SELECT pg_temp.finished('oauth2', '001_14_to_15');
\endif

-- --- oauth2/002_15_to_10
\if :from_014
DROP INDEX oauth2_authorization_api_id_idx, oauth2_tokens_api_id_idx;
ALTER TABLE oauth2_authorization_codes DROP COLUMN api_id;
ALTER TABLE oauth2_tokens DROP COLUMN api_id;
SELECT pg_temp.finished('oauth2', '002_15_to_10');
\endif

-- --- rate-limiting/001_14_to_15
\if :from_014
SELECT format('DROP FUNCTION %s CASCADE', oid::regprocedure) FROM pg_proc
 WHERE proname IN ('increment_rate_limits', 'increment_rate_limits_api') AND pronamespace = current_schema()::regnamespace \gexec
SELECT pg_temp.finished('rate-limiting', '001_14_to_15');
\endif

-- --- rate-limiting/002_15_to_10
\if :from_014
BEGIN;
ALTER TABLE ratelimiting_metrics DROP CONSTRAINT ratelimiting_metrics_pkey;
ALTER TABLE ratelimiting_metrics ADD PRIMARY KEY (identifier, period, period_date, service_id, route_id);
ALTER TABLE ratelimiting_metrics DROP COLUMN api_id;
COMMIT;
SELECT pg_temp.finished('rate-limiting', '002_15_to_10');
\endif

-- --- response-ratelimiting/001_14_to_15
\if :from_014
SELECT format('DROP FUNCTION %s CASCADE', oid::regprocedure) FROM pg_proc
 WHERE proname IN ('increment_response_rate_limits', 'increment_response_rate_limits_api') AND pronamespace = current_schema()::regnamespace \gexec
SELECT pg_temp.finished('response-ratelimiting', '001_14_to_15');
\endif

-- --- response-ratelimiting/002_15_to_10
\if :from_014
BEGIN;
ALTER TABLE response_ratelimiting_metrics DROP CONSTRAINT response_ratelimiting_metrics_pkey;
ALTER TABLE response_ratelimiting_metrics ADD PRIMARY KEY (identifier, period, period_date, service_id, route_id);
ALTER TABLE response_ratelimiting_metrics DROP COLUMN api_id;
COMMIT;
SELECT pg_temp.finished('response-ratelimiting', '002_15_to_10');
\endif
