/*
 * The plugins that keep one credential a row, all alike: acl, basic-auth, hmac-auth, jwt, key-auth. Effects from
 * kong/plugins/NAME/migrations/000_base_NAME.lua and 001_14_to_15.lua at 1.3.0.
 */
#include "core/migrations/change.h"
#include "core/migrations/subsystems.h"

#define CREDENTIAL(table_, ...) \
    TABLE(table_, "id uuid PRIMARY KEY, created_at timestamp DEFAULT (" NOW_UTC(0) ")," \
                  " consumer_id uuid REFERENCES consumers (id) ON DELETE CASCADE, " __VA_ARGS__)

#define ACL_CACHE_KEY "concat('acls:', consumer_id, ':', \"group\", ':::')"

static const struct change acl_base[] = {
    CREDENTIAL("acls", "\"group\" text"),
    INDEX_RENAMED("acls", "acls_consumer_id", "(consumer_id)", "acls_consumer_id_idx"),
    INDEX_RENAMED("acls", "acls_group", "(\"group\")", "acls_group_idx"),
};

static const struct change acl_14_to_15[] = {
    {.kind = CHANGE_ADD_COLUMN, .table = "acls", .name = "cache_key", .definition = "text", .lost = "cache_key <> " ACL_CACHE_KEY},
    UNIQUE("acls", "acls_cache_key_key", "cache_key"),
    SET_TIMESTAMPTZ("acls", "created_at", 0),
    RENAME_INDEX("acls", "acls_consumer_id", "acls_consumer_id_idx"),
    RENAME_INDEX("acls", "acls_group", "acls_group_idx"),
    {.kind = CHANGE_BACKFILL, .phase = PHASE_FINISH, .table = "acls", .name = "cache_key", .set = ACL_CACHE_KEY,
     .where = "cache_key IS DISTINCT FROM " ACL_CACHE_KEY, .correction = "C5"},
};

static const struct change basic_auth_base[] = {
    CREDENTIAL("basicauth_credentials", "username text UNIQUE, password text"),
    INDEX("basicauth_credentials", "basicauth_consumer_id_idx", "(consumer_id)"),
};

static const struct change basic_auth_14_to_15[] = {
    SET_TIMESTAMPTZ("basicauth_credentials", "created_at", 0),
    DROP_INDEX("basicauth_credentials", "basicauth_username_idx", "(username)"),
};

static const struct change hmac_auth_base[] = {
    CREDENTIAL("hmacauth_credentials", "username text UNIQUE, secret text"),
    INDEX_RENAMED("hmacauth_credentials", "hmacauth_credentials_consumer_id", "(consumer_id)", "hmacauth_credentials_consumer_id_idx"),
};

static const struct change hmac_auth_14_to_15[] = {
    SET_TIMESTAMPTZ("hmacauth_credentials", "created_at", 0),
    RENAME_INDEX("hmacauth_credentials", "hmacauth_credentials_consumer_id", "hmacauth_credentials_consumer_id_idx"),
    DROP_INDEX("hmacauth_credentials", "hmacauth_credentials_username", "(username)"),
};

static const struct change jwt_base[] = {
    CREDENTIAL("jwt_secrets", "key text UNIQUE, secret text, algorithm text, rsa_public_key text"),
    INDEX_RENAMED("jwt_secrets", "jwt_secrets_consumer_id", "(consumer_id)", "jwt_secrets_consumer_id_idx"),
    INDEX_RENAMED("jwt_secrets", "jwt_secrets_secret", "(secret)", "jwt_secrets_secret_idx"),
};

static const struct change jwt_14_to_15[] = {
    SET_TIMESTAMPTZ("jwt_secrets", "created_at", 0),
    RENAME_INDEX("jwt_secrets", "jwt_secrets_consumer_id", "jwt_secrets_consumer_id_idx"),
    RENAME_INDEX("jwt_secrets", "jwt_secrets_secret", "jwt_secrets_secret_idx"),
    DROP_INDEX("jwt_secrets", "jwt_secrets_key", "(key)"),
};

static const struct change key_auth_base[] = {
    CREDENTIAL("keyauth_credentials", "key text UNIQUE"),
    INDEX_RENAMED("keyauth_credentials", "keyauth_consumer_idx", "(consumer_id)", "keyauth_credentials_consumer_id_idx"),
};

static const struct change key_auth_14_to_15[] = {
    SET_TIMESTAMPTZ("keyauth_credentials", "created_at", 0),
    RENAME_INDEX("keyauth_credentials", "keyauth_consumer_idx", "keyauth_credentials_consumer_id_idx"),
    DROP_INDEX("keyauth_credentials", "keyauth_key_idx", "(key)"),
};

/* Two migrations each; `name_` is how the first is called after "000_base_". */
#define SUBSYSTEM(plugin_, name_, id_, teardown_) \
    static const struct migration id_##_migrations[] = { \
        {"000_base_" name_, KONG_0_14, false, id_##_base, COUNT_OF(id_##_base)}, \
        {"001_14_to_15", KONG_1_0, teardown_, id_##_14_to_15, COUNT_OF(id_##_14_to_15)}, \
    }; \
    const struct subsystem subsystem_##id_ = {plugin_, id_##_migrations, COUNT_OF(id_##_migrations)}

SUBSYSTEM("acl", "acl", acl, true);
SUBSYSTEM("basic-auth", "basic_auth", basic_auth, false);
SUBSYSTEM("hmac-auth", "hmac_auth", hmac_auth, false);
SUBSYSTEM("jwt", "jwt", jwt, false);
SUBSYSTEM("key-auth", "key_auth", key_auth, false);
