-- Fills a 0.14.1 or 1.0 database as nodes of that version would have: psql -v from_014=1|0 -v scale=N. Ids are md5 of a letter and the
-- entity's number: spread over the key as random ones are, and known to the clients. created_at has the precision of its default
-- (seconds, milliseconds for upstreams and targets).
\set ON_ERROR_STOP on
SET TIME ZONE 'UTC';
SET synchronous_commit = off;
SET maintenance_work_mem = '256MB';
SELECT 1000000 / :scale AS consumers, 200000 / :scale AS tokens, greatest(10000 / :scale, 20) AS routes, greatest(2000 / :scale, 20) AS upstreams \gset

INSERT INTO consumers (id, created_at, username, custom_id)
SELECT md5('c' || i)::uuid, timestamp '2018-01-01' + i * interval '20 s', 'consumer-' || i, 'custom-' || i FROM generate_series(1, :consumers) AS i;
INSERT INTO keyauth_credentials (id, created_at, consumer_id, key)
SELECT md5('k' || i)::uuid, timestamp '2018-01-01' + i * interval '20 s', md5('c' || i)::uuid, 'key-' || i FROM generate_series(1, :consumers) AS i;
INSERT INTO acls (id, created_at, consumer_id, "group")
SELECT md5('a' || i)::uuid, timestamp '2018-01-01' + i * interval '20 s', md5('c' || i)::uuid, 'group-' || i % 100 FROM generate_series(1, :consumers) AS i;

INSERT INTO services (id, created_at, updated_at, name, retries, protocol, host, port, path, connect_timeout, write_timeout, read_timeout)
SELECT md5('s' || i)::uuid, timestamptz '2018-06-01', timestamptz '2018-06-01', 'service-' || i, 5, 'http', 'upstream-' || i, 80, '/', 60000, 60000, 60000
  FROM generate_series(1, :routes) AS i;
INSERT INTO routes (id, created_at, updated_at, service_id, protocols, methods, hosts, paths, regex_priority, strip_path, preserve_host)
SELECT md5('r' || i)::uuid, timestamptz '2018-06-01', timestamptz '2018-06-01', md5('s' || i)::uuid, '{http,https}', '{GET,POST}',
       ARRAY[format('api-%s.example.com', i)], ARRAY[format('/v%s', i % 7)], 0, true, false
  FROM generate_series(1, :routes) AS i;
INSERT INTO plugins (id, created_at, name, service_id, route_id, config, enabled)
SELECT md5('p' || i)::uuid, timestamp '2018-06-01' + i * interval '1 minute', 'rate-limiting', NULL, md5('r' || i)::uuid,
       '{"minute": 100, "policy": "cluster", "limit_by": "consumer", "fault_tolerant": true, "hide_client_headers": false, "redis_port": 6379,'
       ' "redis_database": 0, "redis_timeout": 2000}', true
  FROM generate_series(1, :routes) AS i;
INSERT INTO upstreams (id, created_at, name, hash_on, hash_fallback, slots, healthchecks)
SELECT md5('u' || i)::uuid, timestamp '2018-06-01' + i * interval '61.007 s', 'upstream-' || i, CASE WHEN i % 4 = 0 THEN 'consumer' ELSE 'none' END, 'none', 1000,
       '{"active": {"concurrency": 10, "healthy": {"interval": 0}}, "passive": {"healthy": {"successes": 0}}}'
  FROM generate_series(1, :upstreams) AS i;
INSERT INTO targets (id, created_at, upstream_id, target, weight)
SELECT md5('t' || i)::uuid, timestamp '2018-06-01' + i * interval '61.007 s', md5('u' || (i + 1) / 2)::uuid, format('10.0.%s.%s:80', i / 250, i % 250), 100
  FROM generate_series(1, 2 * :upstreams) AS i;

INSERT INTO oauth2_credentials (id, created_at, name, consumer_id, client_id, client_secret)
SELECT md5('o' || i)::uuid, timestamp '2018-06-01', 'app-' || i, md5('c' || i)::uuid, 'client-' || i, 'secret-' || i FROM generate_series(1, :routes) AS i;
INSERT INTO oauth2_tokens (id, created_at, credential_id, access_token, refresh_token, token_type, expires_in, authenticated_userid)
SELECT md5('T' || i)::uuid, timestamp '2019-06-01' + i * interval '1 s', md5('o' || i % :routes + 1)::uuid, 'access-' || i, 'refresh-' || i, 'bearer',
       7200, 'user-' || i % 5000
  FROM generate_series(1, :tokens) AS i;
INSERT INTO ratelimiting_metrics (identifier, period, period_date, service_id, route_id, value)
SELECT '10.0.' || i % 200 || '.' || i % 250, 'minute', timestamp '2019-06-01' + i * interval '1 minute', md5('s' || i % :routes + 1)::uuid,
       md5('r' || i % :routes + 1)::uuid, i % 100
  FROM generate_series(1, :tokens) AS i;

\if :from_014
UPDATE oauth2_credentials SET redirect_uri = '["https://app.example.com/cb"]' WHERE redirect_uri IS NULL;
\else
UPDATE acls SET cache_key = concat('acls:', consumer_id, ':', "group", ':::');
UPDATE plugins SET cache_key = concat('plugins:', name, ':', route_id, ':', service_id, ':', consumer_id, ':', api_id);
UPDATE oauth2_tokens SET ttl = created_at + expires_in * interval '1 s';
UPDATE oauth2_credentials SET redirect_uris = '{https://app.example.com/cb}';
\endif
SET client_min_messages = error;
VACUUM ANALYZE;
SELECT :consumers, :tokens, :upstreams;
