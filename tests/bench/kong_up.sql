-- What Kong 1.3's own `migrations up` does to a 0.14.1 (from_014=1) or 1.0 (0) database, with Kong's means: an `up` of a migration is one
-- transaction, its record a statement afterwards; whole-table updates, type changes with USING, indexes that are built under the lock.
-- Effects and order from kong/db/migrations and kong/plugins/*/migrations at 1.3.0.
\set ON_ERROR_STOP on
SET TIME ZONE 'UTC';
SET client_min_messages = warning;
SET check_function_bodies = off;
CREATE FUNCTION pg_temp.executed(text, text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO schema_meta AS m (key, subsystem, last_executed, executed) VALUES ('schema_meta', $1, $2, ARRAY[$2])
  ON CONFLICT (key, subsystem) DO UPDATE SET last_executed = $2, executed = array_append(m.executed, $2) $$;
CREATE FUNCTION pg_temp.pending(text, text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO schema_meta AS m (key, subsystem, pending) VALUES ('schema_meta', $1, ARRAY[$2])
  ON CONFLICT (key, subsystem) DO UPDATE SET pending = array_append(m.pending, $2) $$;
-- It runs once per table, as each migration has it.
CREATE FUNCTION pg_temp.tagged(t text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('ALTER TABLE %I ADD COLUMN tags text[]', t);
  EXECUTE format('CREATE INDEX %I ON %I USING gin (tags)', t || '_tags_idx', t);
  EXECUTE format('CREATE TRIGGER %I AFTER INSERT OR UPDATE OF tags OR DELETE ON %I FOR EACH ROW EXECUTE PROCEDURE sync_tags()',
                 t || '_sync_tags_trigger', t);
END $$;

-- --- core/000_base
\if :from_014
CREATE TABLE schema_meta (key text, subsystem text, last_executed text, executed text[], pending text[], PRIMARY KEY (key, subsystem));
CREATE TABLE locks (key text PRIMARY KEY, owner text, ttl timestamptz);
CREATE INDEX locks_ttl_idx ON locks (ttl);

SELECT pg_temp.executed('core', '000_base');
\endif

-- --- core/001_14_to_15
\if :from_014
BEGIN;
ALTER TABLE routes ADD COLUMN name text UNIQUE, ADD COLUMN snis text[], ADD COLUMN sources jsonb[], ADD COLUMN destinations jsonb[];
CREATE INDEX targets_upstream_id_idx ON targets (upstream_id);
ALTER TABLE plugins DROP CONSTRAINT plugins_pkey, DROP CONSTRAINT plugins_id_key;
ALTER TABLE plugins ADD PRIMARY KEY (id);
ALTER TABLE plugins ADD COLUMN cache_key text UNIQUE, ADD COLUMN run_on text;
CREATE INDEX plugins_run_on_idx ON plugins (run_on);
DROP INDEX IF EXISTS apis_name_idx, upstreams_name_idx, custom_id_idx;
ALTER INDEX IF EXISTS username_idx RENAME TO consumers_username_idx;
ALTER INDEX IF EXISTS ssl_certificates_pkey RENAME TO certificates_pkey;
ALTER INDEX IF EXISTS idx_cluster_events_at RENAME TO cluster_events_at_idx;
ALTER INDEX IF EXISTS idx_cluster_events_channel RENAME TO cluster_events_channel_idx;
ALTER INDEX IF EXISTS routes_fkey_service RENAME TO routes_service_id_idx;
ALTER INDEX IF EXISTS plugins_api_idx RENAME TO plugins_api_id_idx;
ALTER INDEX IF EXISTS plugins_consumer_idx RENAME TO plugins_consumer_id_idx;
ALTER TABLE snis RENAME CONSTRAINT snis_name_unique TO snis_name_key;
CREATE INDEX snis_certificate_id_idx ON snis (certificate_id);
ALTER TABLE apis ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                 ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(3) AT TIME ZONE 'UTC';
ALTER TABLE consumers ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                      ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
ALTER TABLE plugins ALTER COLUMN config TYPE jsonb USING config::jsonb, ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                    ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
ALTER TABLE upstreams ALTER COLUMN healthchecks TYPE jsonb USING healthchecks::jsonb,
                      ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                      ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(3) AT TIME ZONE 'UTC';
ALTER TABLE targets ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                    ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(3) AT TIME ZONE 'UTC';
CREATE TABLE cluster_ca (pk boolean NOT NULL PRIMARY KEY CHECK (pk = true), key text NOT NULL, cert text NOT NULL);
COMMIT;
SELECT pg_temp.pending('core', '001_14_to_15');
\endif

-- --- core/002_15_to_1
\if :from_014
SELECT pg_temp.pending('core', '002_15_to_1');
\endif

-- --- core/003_100_to_110
BEGIN;
UPDATE consumers SET created_at = date_trunc('seconds', created_at);
UPDATE plugins SET created_at = date_trunc('seconds', created_at);
UPDATE upstreams SET created_at = date_trunc('seconds', created_at);
UPDATE targets SET created_at = date_trunc('milliseconds', created_at);
DROP FUNCTION IF EXISTS upsert_ttl(text, uuid, text, text, timestamp without time zone);
ALTER TABLE plugins ADD COLUMN protocols text[];
CREATE TABLE tags (entity_id uuid PRIMARY KEY, entity_name text, tags text[]);
CREATE INDEX tags_entity_name_idx ON tags (entity_name);
CREATE INDEX tags_tags_idx ON tags USING gin (tags);
CREATE FUNCTION sync_tags() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    DELETE FROM tags WHERE entity_name = TG_TABLE_NAME;
    RETURN NULL;
  ELSIF TG_OP = 'DELETE' THEN
    DELETE FROM tags WHERE entity_id = OLD.id;
    RETURN OLD;
  END IF;
  INSERT INTO tags (entity_id, entity_name, tags) VALUES (NEW.id, TG_TABLE_NAME, NEW.tags)
  ON CONFLICT (entity_id) DO UPDATE SET tags = EXCLUDED.tags;
  RETURN NEW;
END $$;
SELECT pg_temp.tagged(t) FROM unnest('{services,routes,certificates,snis,consumers,plugins,upstreams,targets}'::text[]) AS t;
COMMIT;
SELECT pg_temp.executed('core', '003_100_to_110');

-- --- core/004_110_to_120
BEGIN;
CREATE INDEX cluster_events_expire_at_idx ON cluster_events (expire_at);
ALTER TABLE routes ADD COLUMN https_redirect_status_code integer;
COMMIT;
SELECT pg_temp.executed('core', '004_110_to_120');

-- --- core/005_120_to_130
BEGIN;
ALTER TABLE upstreams ADD COLUMN algorithm text;
CREATE TABLE ca_certificates (id uuid PRIMARY KEY, created_at timestamptz DEFAULT (CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC'),
                              cert text NOT NULL UNIQUE, tags text[]);
CREATE TRIGGER ca_certificates_sync_tags_trigger AFTER INSERT OR UPDATE OF tags OR DELETE ON ca_certificates FOR EACH ROW
  EXECUTE PROCEDURE sync_tags();
ALTER TABLE routes ADD COLUMN headers jsonb;
ALTER TABLE services ADD COLUMN client_certificate_id uuid REFERENCES certificates (id);
CREATE INDEX services_fkey_client_certificate ON services (client_certificate_id);
COMMIT;
SELECT pg_temp.pending('core', '005_120_to_130');

-- --- acl/000_base_acl
\if :from_014
SELECT pg_temp.executed('acl', '000_base_acl');
\endif

-- --- acl/001_14_to_15
\if :from_014
BEGIN;
ALTER TABLE acls ADD COLUMN cache_key text UNIQUE;
ALTER TABLE acls ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                 ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
ALTER INDEX IF EXISTS acls_consumer_id RENAME TO acls_consumer_id_idx;
ALTER INDEX IF EXISTS acls_group RENAME TO acls_group_idx;
COMMIT;
SELECT pg_temp.pending('acl', '001_14_to_15');
\endif

-- --- basic-auth/000_base_basic_auth
\if :from_014
SELECT pg_temp.executed('basic-auth', '000_base_basic_auth');
\endif

-- --- basic-auth/001_14_to_15
\if :from_014
BEGIN;
ALTER TABLE basicauth_credentials ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                                  ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
DROP INDEX IF EXISTS basicauth_username_idx;
COMMIT;
SELECT pg_temp.executed('basic-auth', '001_14_to_15');
\endif

-- --- hmac-auth/000_base_hmac_auth
\if :from_014
SELECT pg_temp.executed('hmac-auth', '000_base_hmac_auth');
\endif

-- --- hmac-auth/001_14_to_15
\if :from_014
BEGIN;
ALTER TABLE hmacauth_credentials ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                                 ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
ALTER INDEX IF EXISTS hmacauth_credentials_consumer_id RENAME TO hmacauth_credentials_consumer_id_idx;
DROP INDEX IF EXISTS hmacauth_credentials_username;
COMMIT;
SELECT pg_temp.executed('hmac-auth', '001_14_to_15');
\endif

-- --- jwt/000_base_jwt
\if :from_014
SELECT pg_temp.executed('jwt', '000_base_jwt');
\endif

-- --- jwt/001_14_to_15
\if :from_014
BEGIN;
ALTER TABLE jwt_secrets ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                        ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
ALTER INDEX IF EXISTS jwt_secrets_consumer_id RENAME TO jwt_secrets_consumer_id_idx;
ALTER INDEX IF EXISTS jwt_secrets_secret RENAME TO jwt_secrets_secret_idx;
DROP INDEX IF EXISTS jwt_secrets_key;
COMMIT;
SELECT pg_temp.executed('jwt', '001_14_to_15');
\endif

-- --- key-auth/000_base_key_auth
\if :from_014
SELECT pg_temp.executed('key-auth', '000_base_key_auth');
\endif

-- --- key-auth/001_14_to_15
\if :from_014
BEGIN;
ALTER TABLE keyauth_credentials ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                                ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
ALTER INDEX IF EXISTS keyauth_consumer_idx RENAME TO keyauth_credentials_consumer_id_idx;
DROP INDEX IF EXISTS keyauth_key_idx;
COMMIT;
SELECT pg_temp.executed('key-auth', '001_14_to_15');
\endif

-- --- oauth2/000_base_oauth2
\if :from_014
SELECT pg_temp.executed('oauth2', '000_base_oauth2');
\endif

-- --- oauth2/001_14_to_15
\if :from_014
BEGIN;
ALTER TABLE oauth2_credentials ADD COLUMN redirect_uris text[];
UPDATE oauth2_credentials SET redirect_uris = translate(redirect_uri, '[]', '{}')::text[];
ALTER TABLE oauth2_authorization_codes ADD COLUMN ttl timestamptz;
UPDATE oauth2_authorization_codes SET ttl = created_at AT TIME ZONE 'UTC' + interval '300 seconds';
ALTER TABLE oauth2_tokens ADD COLUMN ttl timestamptz;
UPDATE oauth2_tokens SET ttl = created_at AT TIME ZONE 'UTC' + coalesce(expires_in, 0) * interval '1 second';
ALTER TABLE oauth2_credentials ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                               ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
ALTER TABLE oauth2_authorization_codes ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                                       ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
ALTER TABLE oauth2_tokens ALTER COLUMN created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC',
                          ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP(0) AT TIME ZONE 'UTC';
CREATE INDEX oauth2_authorization_credential_id_idx ON oauth2_authorization_codes (credential_id);
CREATE INDEX oauth2_authorization_service_id_idx ON oauth2_authorization_codes (service_id);
CREATE INDEX oauth2_authorization_api_id_idx ON oauth2_authorization_codes (api_id);
CREATE INDEX oauth2_tokens_credential_id_idx ON oauth2_tokens (credential_id);
CREATE INDEX oauth2_tokens_service_id_idx ON oauth2_tokens (service_id);
CREATE INDEX oauth2_tokens_api_id_idx ON oauth2_tokens (api_id);
ALTER INDEX IF EXISTS oauth2_credentials_consumer_idx RENAME TO oauth2_credentials_consumer_id_idx;
ALTER INDEX IF EXISTS oauth2_authorization_userid_idx RENAME TO oauth2_authorization_codes_authenticated_userid_idx;
ALTER INDEX IF EXISTS oauth2_token_userid_idx RENAME TO oauth2_tokens_authenticated_userid_idx;
DROP INDEX IF EXISTS oauth2_credentials_client_idx, oauth2_autorization_code_idx, oauth2_accesstoken_idx, oauth2_token_refresh_idx;
COMMIT;
SELECT pg_temp.pending('oauth2', '001_14_to_15');
\endif

-- --- oauth2/002_15_to_10
\if :from_014
SELECT pg_temp.pending('oauth2', '002_15_to_10');
\endif

-- --- rate-limiting/000_base_rate_limiting
\if :from_014
SELECT pg_temp.executed('rate-limiting', '000_base_rate_limiting');
\endif

-- --- rate-limiting/001_14_to_15
\if :from_014
ALTER TABLE ratelimiting_metrics ALTER COLUMN period_date TYPE timestamptz USING period_date AT TIME ZONE 'UTC';
SELECT pg_temp.pending('rate-limiting', '001_14_to_15');
\endif

-- --- rate-limiting/002_15_to_10
\if :from_014
SELECT pg_temp.pending('rate-limiting', '002_15_to_10');
\endif

-- --- rate-limiting/003_10_to_112
CREATE INDEX ratelimiting_metrics_idx ON ratelimiting_metrics (service_id, route_id, period_date, period);
SELECT pg_temp.executed('rate-limiting', '003_10_to_112');

-- --- response-ratelimiting/000_base_response_rate_limiting
\if :from_014
SELECT pg_temp.executed('response-ratelimiting', '000_base_response_rate_limiting');
\endif

-- --- response-ratelimiting/001_14_to_15
\if :from_014
ALTER TABLE response_ratelimiting_metrics ALTER COLUMN period_date TYPE timestamptz USING period_date AT TIME ZONE 'UTC';
SELECT pg_temp.pending('response-ratelimiting', '001_14_to_15');
\endif

-- --- response-ratelimiting/002_15_to_10
\if :from_014
SELECT pg_temp.pending('response-ratelimiting', '002_15_to_10');
\endif

-- --- session/000_base_session
BEGIN;
CREATE TABLE sessions (id uuid PRIMARY KEY, session_id text UNIQUE, expires integer, data text, created_at timestamptz, ttl timestamptz);
CREATE INDEX session_sessions_expires_idx ON sessions (expires);
COMMIT;
SELECT pg_temp.executed('session', '000_base_session');
