/*
 * What 0.14.1's nodes ask of the tables that their old data access still serves: kong/dao/db/postgres.lua with the columns of
 * kong/dao/schemas/NAME.lua and kong/plugins/NAME/daos.lua; counters from kong/plugins/NAME/policies/cluster.lua.
 */
#include "core/migrations/proof_statements.h"

#define DAO_SOURCE "kong/dao/db/postgres.lua"

/* Columns as in proof_statements.h; times are read in milliseconds and written as text without a zone. */
#define AS_OLD_READ_C(name_, value_) ", \"" #name_ "\""
#define AS_OLD_READ_T(name_) ", (extract(epoch FROM " #name_ ")*1000)::bigint AS " #name_
#define OLD_TIME "'2019-01-01 00:00:00'"
#define AS_OLD_VALUE_T(name_) ", " OLD_TIME
#define AS_OLD_SET_T(name_) ", \"" #name_ "\" = " OLD_TIME
#define OLD_READ(columns_) "\"id\"" columns_(AS_OLD_READ_C, AS_OLD_READ_T)

/* Rows with a TTL of 0.14's are hidden as soon as it has passed, and deleted later. */
#define OLD_ALIVE(table_) \
    " FROM " table_ " LEFT OUTER JOIN ttls ON (" table_ ".id = ttls.primary_uuid_value) WHERE (ttls.primary_key_value IS NULL" \
    " OR (ttls.table_name = '" table_ "' AND expire_at > CURRENT_TIMESTAMP(0) AT TIME ZONE 'utc'))"

#define OLD_STATEMENT(subsystem_, table_, sql_) STATEMENT(0_14, 0_14, subsystem_, table_, DAO_SOURCE, sql_)
#define OLD_INSERT(subsystem_, table_, columns_) \
    OLD_STATEMENT(subsystem_, table_, "INSERT INTO " table_ "(\"id\"" columns_(AS_NAME_C, AS_NAME_T) ") VALUES(" PROOF_ID \
                  columns_(AS_VALUE_C, AS_OLD_VALUE_T) ") RETURNING *")
#define OLD_FIND(subsystem_, table_, columns_, name_, value_) \
    OLD_STATEMENT(subsystem_, table_, "SELECT " OLD_READ(columns_) OLD_ALIVE(table_) " AND \"" name_ "\" = " value_)
#define OLD_REST(subsystem_, table_, columns_, where_) \
    OLD_STATEMENT(subsystem_, table_, "UPDATE " table_ " SET \"id\" = " PROOF_ID columns_(AS_SET_C, AS_OLD_SET_T) " WHERE " where_ " RETURNING *"), \
    OLD_STATEMENT(subsystem_, table_, "DELETE FROM " table_ " WHERE " where_ " RETURNING *")

#define OLD_ENTITY(subsystem_, table_, columns_, name_, value_) \
    OLD_INSERT(subsystem_, table_, columns_), \
    OLD_FIND(subsystem_, table_, columns_, "id", PROOF_ID), \
    OLD_FIND(subsystem_, table_, columns_, name_, value_), \
    OLD_STATEMENT(subsystem_, table_, "SELECT " OLD_READ(columns_) OLD_ALIVE(table_) " LIMIT 1 OFFSET 0"), \
    OLD_STATEMENT(subsystem_, table_, "SELECT COUNT(*)" OLD_ALIVE(table_) " AND \"" name_ "\" = " value_), \
    OLD_REST(subsystem_, table_, columns_, "\"id\" = " PROOF_ID)

#define APIS(C, T) \
    T(created_at) C(name, PROOF_TEXT) C(hosts, "'[\"proof.invalid\"]'") C(uris, "'[]'") C(methods, "'[]'") C(strip_uri, "TRUE") \
    C(https_only, "FALSE") C(http_if_terminated, "FALSE") C(upstream_url, "'http://proof.invalid'") C(preserve_host, "FALSE") C(retries, "5") \
    C(upstream_connect_timeout, "60000") C(upstream_send_timeout, "60000") C(upstream_read_timeout, "60000")
#define PLUGINS(C, T) \
    T(created_at) C(api_id, "NULL") C(route_id, PROOF_PARENT) C(service_id, PROOF_PARENT) C(consumer_id, PROOF_PARENT) C(name, PROOF_TEXT) \
    C(config, "'{\"proof\":1}'") C(enabled, "FALSE")
#define UPSTREAMS(C, T) \
    T(created_at) C(name, PROOF_TEXT) C(hash_on, "'none'") C(hash_fallback, "'none'") C(hash_on_header, "NULL") C(hash_fallback_header, "NULL") \
    C(hash_on_cookie, "NULL") C(hash_on_cookie_path, "'/'") C(slots, "10000") C(healthchecks, "'{\"active\":{\"concurrency\":10}}'")
#define TARGETS(C, T) T(created_at) C(upstream_id, PROOF_PARENT) C(target, "'proof.invalid:8000'") C(weight, "100")

#define ACLS(C, T) T(created_at) C(consumer_id, PROOF_PARENT) C(group, PROOF_TEXT)
#define BASICAUTH(C, T) T(created_at) C(consumer_id, PROOF_PARENT) C(username, PROOF_TEXT) C(password, "'proof'")
#define HMACAUTH(C, T) T(created_at) C(consumer_id, PROOF_PARENT) C(username, PROOF_TEXT) C(secret, "'proof'")
#define JWT(C, T) \
    T(created_at) C(consumer_id, PROOF_PARENT) C(key, PROOF_TEXT) C(secret, "'proof'") C(rsa_public_key, "NULL") C(algorithm, "'HS256'")
#define KEYAUTH(C, T) T(created_at) C(consumer_id, PROOF_PARENT) C(key, PROOF_TEXT)
#define OAUTH2_CREDENTIALS(C, T) \
    T(created_at) C(consumer_id, PROOF_PARENT) C(name, "'proof'") C(client_id, PROOF_TEXT) C(client_secret, "'proof'") \
    C(redirect_uri, "'[\"http://proof.invalid/\"]'")
#define OAUTH2_CODES(C, T) \
    T(created_at) C(service_id, PROOF_PARENT) C(api_id, "NULL") C(credential_id, PROOF_PARENT) C(code, PROOF_TEXT) \
    C(authenticated_userid, "'proof'") C(scope, "NULL")
#define OAUTH2_TOKENS(C, T) \
    T(created_at) C(service_id, PROOF_PARENT) C(api_id, "NULL") C(credential_id, PROOF_PARENT) C(token_type, "'bearer'") C(expires_in, "7200") \
    C(access_token, PROOF_TEXT) C(refresh_token, PROOF_TEXT) C(authenticated_userid, "'proof'") C(scope, "NULL")

/* oauth2 inserts its codes and tokens with a TTL: correction C1. */
#define WITH_TTL(subsystem_, table_) \
    OLD_STATEMENT(subsystem_, table_, "SELECT upsert_ttl('b2f6c7de-41a9-0e35-c4d8-5a7e91f03b01', " PROOF_ID ", 'id', '" table_ "'," \
                  " to_timestamp(253402300799000/1000) AT TIME ZONE 'UTC')")

#define OLD_CREDENTIAL(subsystem_, table_, columns_, key_) \
    PARENT(subsystem_, table_, "consumers", "", ""), OLD_ENTITY(subsystem_, table_, columns_, key_, PROOF_TEXT)
#define OLD_GRANT(table_, columns_, key_) \
    PARENT("oauth2", table_, "services", "", ""), PARENT("oauth2", table_, "oauth2_credentials", "", ""), \
    WITH_TTL("oauth2", table_), OLD_ENTITY("oauth2", table_, columns_, key_, PROOF_TEXT)

/* Twice: the first counts from nothing, the second adds. */
#define OLD_COUNT(subsystem_, table_, function_, ids_) \
    STATEMENT(0_14, 0_14, subsystem_, table_, "kong/plugins/" subsystem_ "/policies/cluster.lua", "SELECT " function_ "(" ids_ ", " PROOF_TEXT \
              ", 'minute', to_timestamp('1546300800') AT TIME ZONE 'UTC', 1)")
#define OLD_COUNTED(subsystem_, table_, ids_) \
    STATEMENT(0_14, 0_14, subsystem_, table_, "kong/plugins/" subsystem_ "/policies/cluster.lua", \
              "SELECT *, extract(epoch FROM period_date)*1000 AS period_date FROM " table_ " WHERE " ids_ " AND identifier = " PROOF_TEXT \
              " AND period_date = to_timestamp('1546300800') AT TIME ZONE 'UTC' AND period = 'minute'")
#define OLD_COUNTER(subsystem_, table_, function_) \
    OLD_COUNT(subsystem_, table_, function_, PROOF_ID ", " PROOF_ID), \
    OLD_COUNT(subsystem_, table_, function_, PROOF_ID ", " PROOF_ID), \
    OLD_COUNTED(subsystem_, table_, "route_id = " PROOF_ID " AND service_id = " PROOF_ID), \
    OLD_COUNT(subsystem_, table_, function_ "_api", PROOF_ID), \
    OLD_COUNTED(subsystem_, table_, "api_id = " PROOF_ID)

static const struct proof_statement statements[] = {
    OLD_ENTITY("core", "apis", APIS, "name", PROOF_TEXT),

    /* Its primary key has two columns there: no TTL. */
    PARENT("core", "plugins", "services", "", ""),
    PARENT("core", "plugins", "routes", "", ""),
    PARENT("core", "plugins", "consumers", "", ""),
    OLD_INSERT("core", "plugins", PLUGINS),
    OLD_STATEMENT("core", "plugins", "SELECT " OLD_READ(PLUGINS) " FROM plugins WHERE \"id\" = " PROOF_ID " AND \"name\" = " PROOF_TEXT),
    OLD_STATEMENT("core", "plugins", "SELECT " OLD_READ(PLUGINS) " FROM plugins LIMIT 1"),
    OLD_STATEMENT("core", "plugins", "SELECT COUNT(*) FROM plugins WHERE \"consumer_id\" = " PROOF_PARENT),
    OLD_REST("core", "plugins", PLUGINS, "\"id\" = " PROOF_ID " AND \"name\" = " PROOF_TEXT),

    OLD_ENTITY("core", "upstreams", UPSTREAMS, "name", PROOF_TEXT),
    PARENT("core", "targets", "upstreams", ", slots", ", 10"),
    OLD_ENTITY("core", "targets", TARGETS, "upstream_id", PROOF_PARENT),

    WITH_TTL("core", "ttls"),
    OLD_STATEMENT("core", "ttls", "SELECT * FROM ttls WHERE expire_at < CURRENT_TIMESTAMP(0) AT TIME ZONE 'utc' AND primary_key_value = " PROOF_ID),
    OLD_STATEMENT("core", "ttls", "DELETE FROM ttls WHERE primary_key_value = " PROOF_ID " AND table_name = 'ttls'"),
    OLD_STATEMENT("core", "schema_migrations", "SELECT * FROM schema_migrations"),

    OLD_CREDENTIAL("acl", "acls", ACLS, "group"),
    OLD_CREDENTIAL("basic-auth", "basicauth_credentials", BASICAUTH, "username"),
    OLD_CREDENTIAL("hmac-auth", "hmacauth_credentials", HMACAUTH, "username"),
    OLD_CREDENTIAL("jwt", "jwt_secrets", JWT, "key"),
    OLD_CREDENTIAL("key-auth", "keyauth_credentials", KEYAUTH, "key"),
    OLD_CREDENTIAL("oauth2", "oauth2_credentials", OAUTH2_CREDENTIALS, "client_id"),
    OLD_GRANT("oauth2_authorization_codes", OAUTH2_CODES, "code"),
    OLD_GRANT("oauth2_tokens", OAUTH2_TOKENS, "access_token"),

    OLD_COUNTER("rate-limiting", "ratelimiting_metrics", "increment_rate_limits"),
    OLD_COUNTER("response-ratelimiting", "response_ratelimiting_metrics", "increment_response_rate_limits"),
};

const struct proof_table proof_legacy = {statements, PROOF_COUNT(statements)};
