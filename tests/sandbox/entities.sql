-- What a Kong 1.2 of a middling company holds: 1,200 services with an upstream each, 3,600 routes, 5,000 consumers. The same on every
-- run but for the times: ids are hashes of names.

BEGIN;

CREATE FUNCTION pg_temp.id(text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5($1)::uuid $$;
CREATE FUNCTION pg_temp.pick(text[], bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT $1[1 + ($2 % array_length($1, 1))::int] $$;

CREATE TEMPORARY TABLE thing ON COMMIT DROP AS
SELECT n, area || '-' || noun || CASE WHEN region = 'eu' THEN '' ELSE '-' || region END AS name, area, noun, region
FROM (SELECT row_number() OVER () - 1 AS n, area, noun, region
      FROM unnest(ARRAY['eu', 'us', 'ap']) AS region,
           unnest(ARRAY['orders', 'billing', 'catalog', 'search', 'accounts', 'payments', 'shipping', 'stock', 'returns', 'loyalty',
                        'pricing', 'media', 'reviews', 'identity', 'partners', 'mail', 'reports', 'warehouse', 'fraud', 'support']) AS area,
           unnest(ARRAY['api', 'admin', 'events', 'export', 'import', 'internal', 'mobile', 'web', 'batch', 'hooks',
                        'lookup', 'sync', 'v1', 'v2', 'v3', 'graph', 'status', 'archive', 'audit', 'jobs']) AS noun) AS every;

INSERT INTO services (id, created_at, updated_at, name, retries, protocol, host, port, path, connect_timeout, write_timeout, read_timeout, tags)
SELECT pg_temp.id('service ' || name), at, at, name, 5, 'http', name || '.internal', 80,
       CASE WHEN n % 3 = 0 THEN '/' || noun END, 60000, 60000, CASE WHEN noun = 'batch' THEN 300000 ELSE 60000 END, ARRAY[area, region]
FROM thing, LATERAL (SELECT date_trunc('second', CURRENT_TIMESTAMP - n * interval '13 hours') AS at) AS born;

-- Three a service: by path, by host, and by host and method with a regular expression.
INSERT INTO routes (id, created_at, updated_at, service_id, protocols, methods, hosts, paths, regex_priority, strip_path, preserve_host, name,
                    tags, https_redirect_status_code)
SELECT pg_temp.id('route ' || name || kind), at, at, pg_temp.id('service ' || name),
       CASE WHEN kind = 1 THEN ARRAY['https'] ELSE ARRAY['http', 'https'] END,
       CASE WHEN kind = 2 THEN ARRAY['GET', 'POST'] END,
       CASE WHEN kind = 0 THEN NULL ELSE ARRAY[noun || '.' || area || CASE region WHEN 'eu' THEN '' ELSE '.' || region END || '.example.com'] END,
       CASE kind WHEN 0 THEN ARRAY['/' || region || '/' || area || '/' || noun] WHEN 2 THEN ARRAY['/' || noun || '/\d+$'] END,
       CASE WHEN kind = 2 THEN 10 ELSE 0 END, kind <> 2, kind = 1, name || pg_temp.pick(ARRAY['', '-host', '-by-id'], kind), ARRAY[area], 426
FROM thing, generate_series(0, 2) AS kind,
     LATERAL (SELECT date_trunc('second', CURRENT_TIMESTAMP - n * interval '13 hours') AS at) AS born;

-- hash_on as nodes of several ages have left it: "none", a consumer or header to hash on, and nothing at all.
INSERT INTO upstreams (id, created_at, name, hash_on, hash_fallback, hash_on_header, slots, healthchecks, tags)
SELECT pg_temp.id('upstream ' || name), date_trunc('second', CURRENT_TIMESTAMP - n * interval '13 hours'), name || '.internal', hash_on,
       CASE WHEN hash_on IS NULL THEN NULL WHEN hash_on = 'consumer' THEN 'ip' ELSE 'none' END, CASE hash_on WHEN 'header' THEN 'X-Session' END,
       10000, '{"active": {"http_path": "/health", "healthy": {"interval": 5, "successes": 2}, "unhealthy": {"interval": 5, "http_failures": 3}}}',
       ARRAY[area, region]
FROM thing, LATERAL (SELECT CASE WHEN n % 10 < 6 THEN 'none' WHEN n % 10 = 6 THEN 'consumer' WHEN n % 10 = 7 THEN 'header' END AS hash_on) AS hash;

INSERT INTO targets (id, created_at, upstream_id, target, weight)
SELECT pg_temp.id('target ' || name || i), CURRENT_TIMESTAMP(3) - n * interval '13 hours', pg_temp.id('upstream ' || name),
       format('10.%s.%s.%s:8080', 10 + n / 250, n % 250, 10 + i), CASE WHEN i = 3 THEN 0 ELSE 100 END
FROM thing, generate_series(1, 3) AS i;

CREATE TEMPORARY TABLE person ON COMMIT DROP AS
SELECT n, first || '.' || last || CASE WHEN round > 0 THEN round::text ELSE '' END AS name
FROM (SELECT row_number() OVER () - 1 AS n, first, last, round
      FROM generate_series(0, 4) AS round,
           unnest(ARRAY['ada', 'aisha', 'bjorn', 'carla', 'chen', 'dmitri', 'elena', 'farid', 'grace', 'hana', 'ivan', 'jana', 'kofi', 'lars',
                        'mei', 'nadia', 'omar', 'paula', 'quentin', 'rosa', 'sven', 'tara', 'uma', 'viktor', 'wanda', 'yusuf', 'zoe', 'noah',
                        'irene', 'marek', 'lucia', 'pavel', 'sofia', 'thomas', 'anna', 'david', 'emma', 'felix', 'greta', 'hugo']) AS first,
           unnest(ARRAY['andersen', 'baker', 'castillo', 'dubois', 'eriksen', 'fischer', 'garcia', 'haddad', 'ito', 'jensen', 'kowalski',
                        'lindberg', 'moreau', 'nguyen', 'okafor', 'petrov', 'quinn', 'rossi', 'santos', 'tanaka', 'ueda', 'vargas', 'weber',
                        'yilmaz', 'zhang']) AS last) AS every;

INSERT INTO consumers (id, created_at, username, custom_id, tags)
SELECT pg_temp.id('consumer ' || name), date_trunc('second', CURRENT_TIMESTAMP - n * interval '4 hours'), name,
       CASE WHEN n % 4 > 0 THEN 'customer-' || 100000 + n END, CASE WHEN n % 10 = 0 THEN ARRAY['partner'] END
FROM person;

INSERT INTO keyauth_credentials (id, created_at, consumer_id, key)
SELECT pg_temp.id('key ' || name), date_trunc('second', CURRENT_TIMESTAMP - n * interval '4 hours'), pg_temp.id('consumer ' || name),
       md5('secret ' || name)
FROM person;

INSERT INTO acls (id, created_at, consumer_id, "group", cache_key)
SELECT pg_temp.id('acl ' || name || team), date_trunc('second', CURRENT_TIMESTAMP - n * interval '4 hours'), pg_temp.id('consumer ' || name), team,
       format('acls:%s:%s:::', pg_temp.id('consumer ' || name), team)
FROM person, unnest(ARRAY['customers', 'partners', 'staff']) AS team
WHERE team = 'customers' OR (team = 'partners' AND n % 10 = 0) OR (team = 'staff' AND n % 50 = 0);

CREATE TEMPORARY TABLE use ON COMMIT DROP AS
SELECT 'key-auth' AS name, pg_temp.id('service ' || name) AS service_id, NULL::uuid AS route_id,
       '{"key_names": ["apikey"], "hide_credentials": true, "anonymous": null, "key_in_body": false, "run_on_preflight": true}'::jsonb AS config
FROM thing WHERE noun <> 'status'
UNION ALL
SELECT 'acl', pg_temp.id('service ' || name), NULL, '{"whitelist": ["staff"], "blacklist": null, "hide_groups_header": false}'
FROM thing WHERE noun IN ('admin', 'internal', 'audit')
UNION ALL
SELECT 'rate-limiting', NULL, pg_temp.id('route ' || name || 0),
       '{"minute": 600, "hour": null, "second": null, "day": null, "month": null, "year": null, "policy": "cluster", "limit_by": "consumer", "fault_tolerant": true, "hide_client_headers": false}'
FROM thing WHERE noun IN ('api', 'mobile', 'web', 'v2')
UNION ALL
SELECT 'prometheus', NULL, NULL, '{}'
UNION ALL
SELECT 'correlation-id', NULL, NULL, '{"generator": "uuid#counter", "header_name": "X-Request-ID", "echo_downstream": true}';

INSERT INTO plugins (id, created_at, name, service_id, route_id, config, enabled, cache_key, run_on, protocols)
SELECT pg_temp.id('plugin ' || cache_key), CURRENT_TIMESTAMP(0), name, service_id, route_id, config, true, cache_key, 'first', ARRAY['http', 'https']
FROM use, LATERAL (SELECT format('plugins:%s:%s:%s::', name, route_id, service_id) AS cache_key) AS key;

INSERT INTO certificates (id, created_at, cert, key, tags)
SELECT pg_temp.id('certificate ' || area), CURRENT_TIMESTAMP(0),
       E'-----BEGIN CERTIFICATE-----\n' || encode(convert_to('a certificate of ' || area, 'UTF8'), 'base64') || E'\n-----END CERTIFICATE-----',
       'a key of ' || area, ARRAY[area, 'edge']
FROM (SELECT DISTINCT area FROM thing) AS areas;

INSERT INTO snis (id, created_at, name, certificate_id, tags)
SELECT pg_temp.id('sni ' || host), CURRENT_TIMESTAMP(0), host, pg_temp.id('certificate ' || area), ARRAY[area]
FROM (SELECT DISTINCT area, noun || '.' || area || '.example.com' AS host FROM thing) AS hosts;

-- An hour of changes through the three old nodes, and of counting.
INSERT INTO cluster_events (id, node_id, at, nbf, expire_at, channel, data)
SELECT pg_temp.id('event ' || n), pg_temp.id('old node ' || n % 3), at, at, at + interval '1 hour', 'invalidations',
       format('consumers:%s:::', pg_temp.id('consumer ' || name))
FROM person, LATERAL (SELECT CURRENT_TIMESTAMP(3) - n * interval '700 milliseconds' AS at) AS time;

INSERT INTO ratelimiting_metrics (identifier, period, period_date, route_id, value)
SELECT pg_temp.id('consumer ' || person.name), 'minute', date_trunc('minute', CURRENT_TIMESTAMP) - i * interval '1 minute',
       pg_temp.id('route ' || thing.name || 0), 1 + (person.n * 7 + i) % 600
FROM person JOIN thing ON thing.n = (person.n * 60) % 1200, generate_series(0, 3) AS i;

COMMIT;
