/*
 * oauth2. Effects from kong/plugins/oauth2/migrations/000_base_oauth2.lua … 002_15_to_10.lua at 1.3.0.
 */
#include "core/migrations/change.h"
#include "core/migrations/subsystems.h"

#define GRANT_COLUMNS \
    "id uuid PRIMARY KEY, created_at timestamp DEFAULT (" NOW_UTC(0) ")," \
    " credential_id uuid REFERENCES oauth2_credentials (id) ON DELETE CASCADE," \
    " service_id uuid REFERENCES services (id) ON DELETE CASCADE, api_id uuid REFERENCES apis (id) ON DELETE CASCADE, "

static const struct change base[] = {
    TABLE("oauth2_credentials", "id uuid PRIMARY KEY, created_at timestamp DEFAULT (" NOW_UTC(0) "), name text,"
                                " consumer_id uuid REFERENCES consumers (id) ON DELETE CASCADE, client_id text UNIQUE,"
                                " client_secret text, redirect_uri text"),
    INDEX_RENAMED("oauth2_credentials", "oauth2_credentials_consumer_idx", "(consumer_id)", "oauth2_credentials_consumer_id_idx"),
    INDEX("oauth2_credentials", "oauth2_credentials_secret_idx", "(client_secret)"),
    TABLE("oauth2_authorization_codes", GRANT_COLUMNS "code text UNIQUE, authenticated_userid text, scope text"),
    INDEX_RENAMED("oauth2_authorization_codes", "oauth2_authorization_userid_idx", "(authenticated_userid)",
                  "oauth2_authorization_codes_authenticated_userid_idx"),
    TABLE("oauth2_tokens", GRANT_COLUMNS "access_token text UNIQUE, refresh_token text UNIQUE, token_type text,"
                           " expires_in integer, authenticated_userid text, scope text"),
    INDEX_RENAMED("oauth2_tokens", "oauth2_token_userid_idx", "(authenticated_userid)", "oauth2_tokens_authenticated_userid_idx"),
};

/* `redirect_uri` holds a JSON array; where someone wrote a bare URI by hand, that URI is the list. */
#define REDIRECT_URIS \
    "CASE WHEN redirect_uri ~ '^\\s*\\[' THEN ARRAY(SELECT jsonb_array_elements_text(redirect_uri::jsonb))" \
    " ELSE ARRAY[redirect_uri] END"

/* Tells no more than `created_at` and `expires_in`. */
#define TTL(table_) {.kind = CHANGE_ADD_COLUMN, .table = table_, .name = "ttl", .definition = TIMESTAMPTZ, .lost = "false"}

static const struct change from_14_to_15[] = {
    {.kind = CHANGE_ADD_COLUMN, .table = "oauth2_credentials", .name = "redirect_uris", .definition = "text[]",
     .lost = "redirect_uris IS NOT NULL AND redirect_uri IS NULL"},
    {.kind = CHANGE_BACKFILL, .table = "oauth2_credentials", .name = "redirect_uris", .set = REDIRECT_URIS,
     .where = "redirect_uris IS NULL AND redirect_uri IS NOT NULL"},
    SET_TIMESTAMPTZ("oauth2_credentials", "created_at", 0),
    SET_TIMESTAMPTZ("oauth2_authorization_codes", "created_at", 0),
    SET_TIMESTAMPTZ("oauth2_tokens", "created_at", 0),
    TTL("oauth2_authorization_codes"),
    {.kind = CHANGE_BACKFILL, .table = "oauth2_authorization_codes", .name = "ttl", .set = "created_at + interval '300 seconds'",
     .where = "ttl IS NULL AND created_at IS NOT NULL"},
    TTL("oauth2_tokens"),
    {.kind = CHANGE_BACKFILL, .table = "oauth2_tokens", .name = "ttl", .set = "created_at + expires_in * interval '1 second'",
     .where = "ttl IS NULL AND created_at IS NOT NULL AND expires_in > 0", .correction = "C4"},
    INDEX("oauth2_authorization_codes", "oauth2_authorization_credential_id_idx", "(credential_id)"),
    INDEX("oauth2_authorization_codes", "oauth2_authorization_service_id_idx", "(service_id)"),
    INDEX("oauth2_authorization_codes", "oauth2_authorization_api_id_idx", "(api_id)"),
    INDEX("oauth2_tokens", "oauth2_tokens_credential_id_idx", "(credential_id)"),
    INDEX("oauth2_tokens", "oauth2_tokens_service_id_idx", "(service_id)"),
    INDEX("oauth2_tokens", "oauth2_tokens_api_id_idx", "(api_id)"),
    RENAME_INDEX("oauth2_credentials", "oauth2_credentials_consumer_idx", "oauth2_credentials_consumer_id_idx"),
    RENAME_INDEX("oauth2_authorization_codes", "oauth2_authorization_userid_idx", "oauth2_authorization_codes_authenticated_userid_idx"),
    RENAME_INDEX("oauth2_tokens", "oauth2_token_userid_idx", "oauth2_tokens_authenticated_userid_idx"),
    DROP_INDEX("oauth2_credentials", "oauth2_credentials_client_idx", "(client_id)"),
    DROP_INDEX("oauth2_authorization_codes", "oauth2_autorization_code_idx", "(code)"),
    DROP_INDEX("oauth2_tokens", "oauth2_accesstoken_idx", "(access_token)"),
    DROP_INDEX("oauth2_tokens", "oauth2_token_refresh_idx", "(refresh_token)"),
    {.kind = CHANGE_BACKFILL, .phase = PHASE_FINISH, .table = "oauth2_credentials", .name = "redirect_uris", .set = REDIRECT_URIS,
     .where = "redirect_uris IS NULL AND to_jsonb(oauth2_credentials) ->> 'redirect_uri' IS NOT NULL", .again = true},
    {.kind = CHANGE_DROP_COLUMN, .phase = PHASE_FINISH, .table = "oauth2_credentials", .name = "redirect_uri"},
};

static const struct change from_15_to_10[] = {
    {.kind = CHANGE_DROP_INDEX, .phase = PHASE_FINISH, .table = "oauth2_authorization_codes", .name = "oauth2_authorization_api_id_idx"},
    {.kind = CHANGE_DROP_INDEX, .phase = PHASE_FINISH, .table = "oauth2_tokens", .name = "oauth2_tokens_api_id_idx"},
    {.kind = CHANGE_DROP_COLUMN, .phase = PHASE_FINISH, .table = "oauth2_authorization_codes", .name = "api_id"},
    {.kind = CHANGE_DROP_COLUMN, .phase = PHASE_FINISH, .table = "oauth2_tokens", .name = "api_id"},
};

static const struct migration migrations[] = {
    {"000_base_oauth2", KONG_0_14, false, base, COUNT_OF(base)},
    {"001_14_to_15", KONG_1_0, true, from_14_to_15, COUNT_OF(from_14_to_15)},
    {"002_15_to_10", KONG_1_0, true, from_15_to_10, COUNT_OF(from_15_to_10)},
};

const struct subsystem subsystem_oauth2 = {"oauth2", migrations, COUNT_OF(migrations)};
