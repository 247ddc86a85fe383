/*
 * The migrations of Kong's core. Effects from kong/db/migrations/core/000_base.lua … 005_120_to_130.lua at 1.3.0.
 */
#include "core/migrations/change.h"
#include "core/migrations/subsystems.h"

#define TAGGED(table_) \
    COLUMN(table_, "tags", "text[]"), \
    INDEX(table_, table_ "_tags_idx", "USING gin (tags)"), \
    SYNC_TAGS(table_)

#define SYNC_TAGS_DEFINITION(table_) "AFTER INSERT OR UPDATE OF tags OR DELETE ON " table_ " FOR EACH ROW EXECUTE PROCEDURE sync_tags()"
#define SYNC_TAGS(table_) \
    {.kind = CHANGE_CREATE_TRIGGER, .table = table_, .name = table_ "_sync_tags_trigger", .definition = SYNC_TAGS_DEFINITION(table_)}

#define TRUNCATE_TIME(table_, precision_) \
    {.kind = CHANGE_BACKFILL, .table = table_, .name = "created_at", .set = "date_trunc('" precision_ "', created_at)", \
     .where = "created_at <> date_trunc('" precision_ "', created_at)"}

#define UPSERT_TTL_ARGUMENTS "text, uuid, text, text, timestamp without time zone"
#define UPSERT_TTL \
    "(v_primary_key_value text, v_primary_uuid_value uuid, v_primary_key_name text, v_table_name text," \
    " v_expire_at timestamp without time zone) RETURNS void LANGUAGE plpgsql AS $$ BEGIN" \
    " INSERT INTO ttls (primary_key_value, primary_uuid_value, primary_key_name, table_name, expire_at)" \
    " VALUES (v_primary_key_value, v_primary_uuid_value, v_primary_key_name, v_table_name, v_expire_at)" \
    " ON CONFLICT (primary_key_value, table_name) DO UPDATE SET expire_at = EXCLUDED.expire_at; END $$"

static const struct change base[] = {
    TABLE("cluster_events", "id uuid PRIMARY KEY, node_id uuid NOT NULL, at timestamptz NOT NULL, nbf timestamptz,"
                            " expire_at timestamptz NOT NULL, channel text, data text"),
    INDEX_RENAMED("cluster_events", "idx_cluster_events_at", "(at)", "cluster_events_at_idx"),
    INDEX_RENAMED("cluster_events", "idx_cluster_events_channel", "(channel)", "cluster_events_channel_idx"),
    {.kind = CHANGE_CREATE_FUNCTION, .name = "delete_expired_cluster_events", .arguments = "",
     .definition = "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " DELETE FROM cluster_events WHERE expire_at <= now(); RETURN NEW; END $$"},
    {.kind = CHANGE_CREATE_TRIGGER, .table = "cluster_events", .name = "delete_expired_cluster_events_trigger",
     .definition = "AFTER INSERT ON cluster_events FOR EACH STATEMENT EXECUTE PROCEDURE delete_expired_cluster_events()"},
    TABLE("services", "id uuid PRIMARY KEY, created_at timestamptz, updated_at timestamptz, name text UNIQUE, retries bigint,"
                      " protocol text, host text, port bigint, path text, connect_timeout bigint, write_timeout bigint,"
                      " read_timeout bigint"),
    TABLE("routes", "id uuid PRIMARY KEY, created_at timestamptz, updated_at timestamptz, service_id uuid REFERENCES services (id),"
                    " protocols text[], methods text[], hosts text[], paths text[], regex_priority bigint, strip_path boolean,"
                    " preserve_host boolean"),
    INDEX_RENAMED("routes", "routes_fkey_service", "(service_id)", "routes_service_id_idx"),
    TABLE("apis", "id uuid PRIMARY KEY, created_at timestamp DEFAULT (" NOW_UTC(3) "), name text UNIQUE, upstream_url text,"
                  " preserve_host boolean NOT NULL, retries smallint DEFAULT 5, https_only boolean, http_if_terminated boolean,"
                  " hosts text, uris text, methods text, strip_uri boolean, upstream_connect_timeout integer,"
                  " upstream_send_timeout integer, upstream_read_timeout integer"),
    TABLE("certificates", "id uuid PRIMARY KEY, created_at timestamptz DEFAULT (" NOW_UTC(0) "), cert text, key text"),
    TABLE("snis", "id uuid PRIMARY KEY, created_at timestamptz DEFAULT (" NOW_UTC(0) "), name text NOT NULL UNIQUE,"
                  " certificate_id uuid REFERENCES certificates (id)"),
    TABLE("consumers", "id uuid PRIMARY KEY, created_at timestamp DEFAULT (" NOW_UTC(0) "), username text UNIQUE, custom_id text UNIQUE"),
    INDEX_RENAMED("consumers", "username_idx", "(lower(username))", "consumers_username_idx"),
    TABLE("plugins", "id uuid UNIQUE, created_at timestamp DEFAULT (" NOW_UTC(0) "), name text NOT NULL,"
                     " consumer_id uuid REFERENCES consumers (id) ON DELETE CASCADE,"
                     " service_id uuid REFERENCES services (id) ON DELETE CASCADE,"
                     " route_id uuid REFERENCES routes (id) ON DELETE CASCADE,"
                     " api_id uuid REFERENCES apis (id) ON DELETE CASCADE,"
                     " config json NOT NULL, enabled boolean NOT NULL, PRIMARY KEY (id, name)"),
    INDEX("plugins", "plugins_name_idx", "(name)"),
    INDEX_RENAMED("plugins", "plugins_consumer_idx", "(consumer_id)", "plugins_consumer_id_idx"),
    INDEX("plugins", "plugins_service_id_idx", "(service_id)"),
    INDEX("plugins", "plugins_route_id_idx", "(route_id)"),
    INDEX_RENAMED("plugins", "plugins_api_idx", "(api_id)", "plugins_api_id_idx"),
    TABLE("upstreams", "id uuid PRIMARY KEY, created_at timestamp DEFAULT (" NOW_UTC(3) "), name text UNIQUE, hash_on text,"
                       " hash_fallback text, hash_on_header text, hash_fallback_header text, hash_on_cookie text,"
                       " hash_on_cookie_path text, slots integer NOT NULL, healthchecks json"),
    TABLE("targets", "id uuid PRIMARY KEY, created_at timestamp DEFAULT (" NOW_UTC(3) "),"
                     " upstream_id uuid REFERENCES upstreams (id) ON DELETE CASCADE, target text NOT NULL, weight integer NOT NULL"),
    INDEX("targets", "targets_target_idx", "(target)"),
    TABLE("ttls", "primary_key_value text NOT NULL, primary_uuid_value uuid, table_name text NOT NULL, primary_key_name text NOT NULL,"
                  " expire_at timestamp NOT NULL, PRIMARY KEY (primary_key_value, table_name)"),
    INDEX("ttls", "ttls_primary_uuid_value_idx", "(primary_uuid_value)"),
    {.kind = CHANGE_CREATE_FUNCTION, .name = "upsert_ttl", .arguments = UPSERT_TTL_ARGUMENTS, .definition = UPSERT_TTL},
};

#define CACHE_KEY "concat('plugins:', name, ':', route_id, ':', service_id, ':', consumer_id, ':', api_id)"

static const struct change from_14_to_15[] = {
    COLUMN("routes", "name", "text"),
    UNIQUE("routes", "routes_name_key", "name"),
    COLUMN("routes", "snis", "text[]"),
    COLUMN("routes", "sources", "jsonb[]"),
    COLUMN("routes", "destinations", "jsonb[]"),
    INDEX("targets", "targets_upstream_id_idx", "(upstream_id)"),
    {.kind = CHANGE_SET_PRIMARY_KEY, .table = "plugins", .name = "plugins_pkey", .definition = "id", .where = "plugins_id_key",
     .before = "id, name"},
    {.kind = CHANGE_ADD_COLUMN, .table = "plugins", .name = "cache_key", .definition = "text", .lost = "cache_key <> " CACHE_KEY},
    UNIQUE("plugins", "plugins_cache_key_key", "cache_key"),
    COLUMN("plugins", "run_on", "text"),
    INDEX("plugins", "plugins_run_on_idx", "(run_on)"),
    DROP_INDEX("apis", "apis_name_idx", "(name)"),
    DROP_INDEX("upstreams", "upstreams_name_idx", "(name)"),
    DROP_INDEX("consumers", "custom_id_idx", "(custom_id)"),
    RENAME_INDEX("consumers", "username_idx", "consumers_username_idx"),
    RENAME_INDEX("certificates", "ssl_certificates_pkey", "certificates_pkey"),
    RENAME_INDEX("cluster_events", "idx_cluster_events_at", "cluster_events_at_idx"),
    RENAME_INDEX("cluster_events", "idx_cluster_events_channel", "cluster_events_channel_idx"),
    RENAME_INDEX("routes", "routes_fkey_service", "routes_service_id_idx"),
    RENAME_INDEX("plugins", "plugins_api_idx", "plugins_api_id_idx"),
    RENAME_INDEX("plugins", "plugins_consumer_idx", "plugins_consumer_id_idx"),
    {.kind = CHANGE_RENAME_CONSTRAINT, .table = "snis", .name = "snis_name_unique", .to = "snis_name_key"},
    INDEX("snis", "snis_certificate_id_idx", "(certificate_id)"),
    {.kind = CHANGE_SET_TYPE, .table = "apis", .name = "created_at", .definition = TIMESTAMPTZ, .set = NOW_UTC(3), .before = TIMESTAMP,
     .before_set = "CURRENT_TIMESTAMP(3)"},
    SET_TIMESTAMPTZ("consumers", "created_at", 0),
    SET_TIMESTAMPTZ("plugins", "created_at", 0),
    SET_TIMESTAMPTZ("upstreams", "created_at", 3),
    SET_TIMESTAMPTZ("targets", "created_at", 3),
    {.kind = CHANGE_SET_TYPE, .table = "plugins", .name = "config", .definition = "jsonb", .before = "json"},
    {.kind = CHANGE_SET_TYPE, .table = "upstreams", .name = "healthchecks", .definition = "jsonb", .before = "json"},
    TABLE("cluster_ca", "pk boolean NOT NULL PRIMARY KEY CHECK (pk = true), key text NOT NULL, cert text NOT NULL"),
    {.kind = CHANGE_BACKFILL, .phase = PHASE_FINISH, .table = "plugins", .name = "cache_key",
     .set = CACHE_KEY, .where = "cache_key IS DISTINCT FROM " CACHE_KEY},
    {.kind = CHANGE_DROP_FUNCTION, .phase = PHASE_FINISH, .origin = ORIGIN_014, .name = "upsert_ttl", .arguments = UPSERT_TTL_ARGUMENTS,
     .correction = "C1"},
    {.kind = CHANGE_DROP_TABLE, .phase = PHASE_FINISH, .table = "schema_migrations"},
};

static const struct change from_15_to_1[] = {
    {.kind = CHANGE_DELETE_ROWS, .phase = PHASE_FINISH, .table = "plugins", .name = "galileo plugins", .where = "name = 'galileo'"},
};

static const struct change from_100_to_110[] = {
    TRUNCATE_TIME("consumers", "second"),
    TRUNCATE_TIME("plugins", "second"),
    TRUNCATE_TIME("upstreams", "second"),
    TRUNCATE_TIME("targets", "milliseconds"),
    {.kind = CHANGE_DROP_FUNCTION, .origin = ORIGIN_SINCE_1_0, .name = "upsert_ttl", .arguments = UPSERT_TTL_ARGUMENTS, .before = UPSERT_TTL},
    COLUMN("plugins", "protocols", "text[]"),
    {.kind = CHANGE_CREATE_TABLE, .table = "tags", .definition = "entity_id uuid PRIMARY KEY, entity_name text, tags text[]",
     .lost = "false"},   /* copies of the entities' own */
    INDEX("tags", "tags_entity_name_idx", "(entity_name)"),
    INDEX("tags", "tags_tags_idx", "USING gin (tags)"),
    {.kind = CHANGE_CREATE_FUNCTION, .name = "sync_tags", .arguments = "",
     .definition = "() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                   " IF TG_OP = 'TRUNCATE' THEN"
                   " DELETE FROM tags WHERE entity_name = TG_TABLE_NAME; RETURN NULL;"
                   " ELSIF TG_OP = 'DELETE' THEN"
                   " DELETE FROM tags WHERE entity_id = OLD.id; RETURN OLD;"
                   " END IF;"
                   " INSERT INTO tags (entity_id, entity_name, tags) VALUES (NEW.id, TG_TABLE_NAME, NEW.tags)"
                   " ON CONFLICT (entity_id) DO UPDATE SET tags = EXCLUDED.tags;"
                   " RETURN NEW; END $$"},
    TAGGED("services"),
    TAGGED("routes"),
    TAGGED("certificates"),
    TAGGED("snis"),
    TAGGED("consumers"),
    TAGGED("plugins"),
    TAGGED("upstreams"),
    TAGGED("targets"),
};

static const struct change from_110_to_120[] = {
    INDEX("cluster_events", "cluster_events_expire_at_idx", "(expire_at)"),
    COLUMN("routes", "https_redirect_status_code", "integer"),
};

#define ALGORITHM "CASE WHEN hash_on = 'none' THEN 'round-robin' ELSE 'consistent-hashing' END"

static const struct change from_120_to_130[] = {
    {.kind = CHANGE_ADD_COLUMN, .table = "upstreams", .name = "algorithm", .definition = "text", .lost = "algorithm <> " ALGORITHM},
    TABLE("ca_certificates", "id uuid PRIMARY KEY, created_at timestamptz DEFAULT (" NOW_UTC(0) "), cert text NOT NULL UNIQUE,"
                             " tags text[]"),
    {.kind = CHANGE_CREATE_TRIGGER, .table = "ca_certificates", .name = "ca_certificates_sync_tags_trigger",
     .definition = SYNC_TAGS_DEFINITION("ca_certificates"), .before = "entity_name = 'ca_certificates'", .correction = "C3"},
    COLUMN("routes", "headers", "jsonb"),
    {.kind = CHANGE_ADD_COLUMN, .table = "services", .name = "client_certificate_id", .definition = "uuid", .to = "certificates"},
    INDEX("services", "services_fkey_client_certificate", "(client_certificate_id)"),
    {.kind = CHANGE_BACKFILL, .phase = PHASE_FINISH, .table = "upstreams", .name = "algorithm",
     .set = ALGORITHM, .where = "(algorithm IS NULL OR algorithm = '')"},
};

static const struct migration migrations[] = {
    {"000_base", KONG_0_14, false, base, COUNT_OF(base)},
    {"001_14_to_15", KONG_1_0, true, from_14_to_15, COUNT_OF(from_14_to_15)},
    {"002_15_to_1", KONG_1_0, true, from_15_to_1, COUNT_OF(from_15_to_1)},
    {"003_100_to_110", KONG_1_1, false, from_100_to_110, COUNT_OF(from_100_to_110)},
    {"004_110_to_120", KONG_1_2, false, from_110_to_120, COUNT_OF(from_110_to_120)},
    {"005_120_to_130", KONG_1_3, true, from_120_to_130, COUNT_OF(from_120_to_130)},
};

const struct subsystem subsystem_core = {"core", migrations, COUNT_OF(migrations)};
