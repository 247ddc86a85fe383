/*
 * What nodes since 1.0 ask of the plugins' tables. Columns from kong/plugins/NAME/daos.lua at each tag, which are the same from 1.0
 * to 1.3; counters from kong/plugins/NAME/policies/cluster.lua.
 */
#include "core/migrations/proof_statements.h"

#define ACLS(C, T) C(consumer_id, PROOF_PARENT) C(group, PROOF_TEXT)
#define ACL_KEY "'acls:b2f6c7de-41a9-0e35-c4d8-5a7e91f03b02:kong-upgrade-proof-b2f6c7de:::'"
#define ACL_HIDDEN(C, T) C(cache_key, ACL_KEY)
#define BASICAUTH(C, T) C(consumer_id, PROOF_PARENT) C(username, PROOF_TEXT) C(password, "'proof'")
#define HMACAUTH(C, T) C(consumer_id, PROOF_PARENT) C(username, PROOF_TEXT) C(secret, "'proof'")
#define JWT(C, T) C(consumer_id, PROOF_PARENT) C(key, PROOF_TEXT) C(secret, "'proof'") C(rsa_public_key, "NULL") C(algorithm, "'HS256'")
#define KEYAUTH(C, T) C(consumer_id, PROOF_PARENT) C(key, PROOF_TEXT)

#define OAUTH2_CREDENTIALS(C, T) \
    C(consumer_id, PROOF_PARENT) C(name, "'proof'") C(client_id, PROOF_TEXT) C(client_secret, "'proof'") \
    C(redirect_uris, "ARRAY['http://proof.invalid/']")
#define OAUTH2_CODES(C, T) \
    C(service_id, PROOF_PARENT) C(credential_id, PROOF_PARENT) C(code, PROOF_TEXT) C(authenticated_userid, "'proof'") C(scope, "NULL")
#define OAUTH2_TOKENS(C, T) \
    C(service_id, PROOF_PARENT) C(credential_id, PROOF_PARENT) C(token_type, "'bearer'") C(expires_in, "7200") C(access_token, PROOF_TEXT) \
    C(refresh_token, PROOF_TEXT) C(authenticated_userid, "'proof'") C(scope, "NULL")
#define SESSIONS(C, T) C(session_id, PROOF_TEXT) C(expires, "1546304400") C(data, "'proof'")
#define TTL(C, T) C(ttl, "TO_TIMESTAMP(253402300799) AT TIME ZONE 'UTC'")

/* A credential of a consumer, found by one unique key. */
#define CREDENTIAL(subsystem_, table_, columns_, key_) \
    PARENT(subsystem_, table_, "consumers", "", ""), \
    ENTITY(1_0, 1_3, subsystem_, table_, columns_, NOTHING_HIDDEN, ALWAYS_ALIVE), \
    BY_KEY(1_0, 1_3, subsystem_, table_, columns_, NOTHING_HIDDEN, key_, PROOF_TEXT, key_, ALWAYS_ALIVE), \
    OF_PARENT(1_0, 1_3, subsystem_, table_, columns_, "consumer_id", ALWAYS_ALIVE), \
    ENTITY_END(1_0, 1_3, subsystem_, table_, ALWAYS_ALIVE)

/* Each minute, all that has expired: here of our own rows only. */
#define CLEAN_UP(from_, subsystem_, table_) \
    STATEMENT(from_, 1_3, subsystem_, table_, "kong/db/strategies/postgres/connector.lua", \
              "DELETE FROM \"" table_ "\" WHERE \"ttl\" < CURRENT_TIMESTAMP AT TIME ZONE 'UTC' AND \"id\" = " PROOF_ID)

#define GRANT(table_, columns_, key_) \
    PARENT("oauth2", table_, "services", "", ""), \
    PARENT("oauth2", table_, "oauth2_credentials", "", ""), \
    ENTITY(1_0, 1_3, "oauth2", table_, columns_, TTL, ALIVE), \
    BY_KEY(1_0, 1_3, "oauth2", table_, columns_, TTL, key_, PROOF_TEXT, key_, ALIVE), \
    OF_PARENT(1_0, 1_3, "oauth2", table_, columns_, "credential_id", ALIVE), \
    OF_PARENT(1_0, 1_3, "oauth2", table_, columns_, "service_id", ALIVE), \
    CLEAN_UP(1_0, "oauth2", table_), \
    ENTITY_END(1_0, 1_3, "oauth2", table_, ALIVE)

/* Twice: the first counts from nothing, the second adds (correction C2 is about the key of five columns). */
#define COUNT(subsystem_, table_) \
    STATEMENT(1_0, 1_3, subsystem_, table_, "kong/plugins/" subsystem_ "/policies/cluster.lua", \
              "INSERT INTO \"" table_ "\" (\"identifier\", \"period\", \"period_date\", \"service_id\", \"route_id\", \"value\")" \
              " VALUES (" PROOF_TEXT ", 'minute', TO_TIMESTAMP('1546300800') AT TIME ZONE 'UTC', " PROOF_ID ", " PROOF_ID ", 1)" \
              " ON CONFLICT (\"identifier\", \"period\", \"period_date\", \"service_id\", \"route_id\") DO UPDATE" \
              " SET \"value\" = \"" table_ "\".\"value\" + EXCLUDED.\"value\"")
#define COUNTER(subsystem_, table_) \
    COUNT(subsystem_, table_), \
    COUNT(subsystem_, table_), \
    STATEMENT(1_0, 1_3, subsystem_, table_, "kong/plugins/" subsystem_ "/policies/cluster.lua", \
              "SELECT \"value\" FROM \"" table_ "\" WHERE \"identifier\" = " PROOF_TEXT " AND \"period\" = 'minute'" \
              " AND \"period_date\" = TO_TIMESTAMP('1546300800') AT TIME ZONE 'UTC' AND \"service_id\" = " PROOF_ID \
              " AND \"route_id\" = " PROOF_ID " LIMIT 1")

static const struct proof_statement statements[] = {
    PARENT("acl", "acls", "consumers", "", ""),
    ENTITY(1_0, 1_3, "acl", "acls", ACLS, ACL_HIDDEN, ALWAYS_ALIVE),
    BY_KEY(1_0, 1_3, "acl", "acls", ACLS, ACL_HIDDEN, "cache_key", ACL_KEY, "cache_key", ALWAYS_ALIVE),
    KEY_OF(1_0, 1_3, "acl", "acls", ACLS, "group", PROOF_TEXT, ALWAYS_ALIVE),
    OF_PARENT(1_0, 1_3, "acl", "acls", ACLS, "consumer_id", ALWAYS_ALIVE),
    ENTITY_END(1_0, 1_3, "acl", "acls", ALWAYS_ALIVE),

    CREDENTIAL("basic-auth", "basicauth_credentials", BASICAUTH, "username"),
    CREDENTIAL("hmac-auth", "hmacauth_credentials", HMACAUTH, "username"),
    CREDENTIAL("jwt", "jwt_secrets", JWT, "key"),
    CREDENTIAL("key-auth", "keyauth_credentials", KEYAUTH, "key"),
    CREDENTIAL("oauth2", "oauth2_credentials", OAUTH2_CREDENTIALS, "client_id"),
    GRANT("oauth2_authorization_codes", OAUTH2_CODES, "code"),
    GRANT("oauth2_tokens", OAUTH2_TOKENS, "access_token"),
    KEY_OF(1_0, 1_3, "oauth2", "oauth2_tokens", OAUTH2_TOKENS, "refresh_token", PROOF_TEXT, ALIVE),

    COUNTER("rate-limiting", "ratelimiting_metrics"),
    COUNTER("response-ratelimiting", "response_ratelimiting_metrics"),

    /* The plugin is a rock of its own, kong-plugin-session 2.1. */
    ENTITY(1_3, 1_3, "session", "sessions", SESSIONS, TTL, ALIVE),
    BY_KEY(1_3, 1_3, "session", "sessions", SESSIONS, TTL, "session_id", PROOF_TEXT, "session_id", ALIVE),
    CLEAN_UP(1_3, "session", "sessions"),
    ENTITY_END(1_3, 1_3, "session", "sessions", ALIVE),
};

const struct proof_table proof_plugins = {statements, PROOF_COUNT(statements)};
