/*
 * rate-limiting and response-ratelimiting, which do the same to a table each. Effects from kong/plugins/NAME/migrations/
 * 000_base_….lua … 003_10_to_112.lua at 1.3.0.
 */
#include "core/migrations/change.h"
#include "core/migrations/subsystems.h"

#define NIL "'00000000-0000-0000-0000-000000000000'"
#define KEY_SINCE_1_0 "identifier, period, period_date, service_id, route_id"

#define METRICS(table_) \
    TABLE(table_, "identifier text NOT NULL, period text NOT NULL, period_date timestamp NOT NULL," \
                  " service_id uuid NOT NULL DEFAULT " NIL ", route_id uuid NOT NULL DEFAULT " NIL "," \
                  " api_id uuid NOT NULL DEFAULT " NIL ", value integer," \
                  " PRIMARY KEY (" KEY_SINCE_1_0 ", api_id)")

/* Adds to the matching row's value, or inserts it; 0.14's nodes count with these. */
#define INCREMENT(table_, name_, types_, parameters_, columns_, values_, match_) \
    {.kind = CHANGE_CREATE_FUNCTION, .name = name_, .arguments = types_, \
     .definition = "(" parameters_ ") RETURNS void LANGUAGE plpgsql AS $$ BEGIN LOOP" \
                   " UPDATE " table_ " SET value = value + v WHERE " match_ " AND identifier = i AND period = p AND period_date = p_date;" \
                   " EXIT WHEN FOUND;" \
                   " BEGIN INSERT INTO " table_ " (" columns_ ", period, period_date, identifier, value)" \
                   " VALUES (" values_ ", p, p_date, i, v); EXIT;" \
                   " EXCEPTION WHEN unique_violation THEN NULL; END;" \
                   " END LOOP; END $$"}
#define COUNTED "i text, p text, p_date timestamp with time zone, v integer"
#define INCREMENT_API(table_, name_) \
    INCREMENT(table_, name_, "uuid, text, text, timestamp with time zone, integer", "a_id uuid, " COUNTED, "api_id", "a_id", "api_id = a_id")
#define INCREMENT_ROUTE(table_, name_) \
    INCREMENT(table_, name_, "uuid, uuid, text, text, timestamp with time zone, integer", "r_id uuid, s_id uuid, " COUNTED, \
              "route_id, service_id", "r_id, s_id", "route_id = r_id AND service_id = s_id")

#define DROP_INCREMENT(name_, types_) \
    {.kind = CHANGE_DROP_FUNCTION, .phase = PHASE_FINISH, .name = name_, .arguments = types_}
#define DROP_INCREMENTS(name_, time_) \
    DROP_INCREMENT(name_, "uuid, text, text, timestamp " time_ " time zone, integer"), \
    DROP_INCREMENT(name_, "uuid, uuid, text, text, timestamp " time_ " time zone, integer"), \
    DROP_INCREMENT(name_ "_api", "uuid, text, text, timestamp " time_ " time zone, integer")

#define MIGRATIONS(id_, table_, function_) \
    static const struct change id_##_base[] = { \
        METRICS(table_), \
        INCREMENT_API(table_, function_), \
        INCREMENT_ROUTE(table_, function_), \
        INCREMENT_API(table_, function_ "_api"), \
    }; \
    static const struct change id_##_14_to_15[] = { \
        {.kind = CHANGE_SET_TYPE, .table = table_, .name = "period_date", .definition = TIMESTAMPTZ, .before = TIMESTAMP}, \
        DROP_INCREMENTS(function_, "with"), \
        DROP_INCREMENTS(function_, "without"), \
    }; \
    static const struct change id_##_15_to_10[] = { \
        {.kind = CHANGE_CREATE_INDEX, .origin = ORIGIN_ANY_KONG, .table = table_, .name = table_ "_pkey_new", .unique = true, \
         .definition = "(" KEY_SINCE_1_0 ")", .correction = "C2"}, \
        {.kind = CHANGE_SET_PRIMARY_KEY, .phase = PHASE_FINISH, .table = table_, .name = table_ "_pkey", .definition = KEY_SINCE_1_0}, \
        {.kind = CHANGE_DROP_COLUMN, .phase = PHASE_FINISH, .table = table_, .name = "api_id"}, \
    }

MIGRATIONS(rate_limiting, "ratelimiting_metrics", "increment_rate_limits");
MIGRATIONS(response_ratelimiting, "response_ratelimiting_metrics", "increment_response_rate_limits");

static const struct change from_10_to_112[] = {
    INDEX("ratelimiting_metrics", "ratelimiting_metrics_idx", "(service_id, route_id, period_date, period)"),
};

static const struct migration rate_limiting_migrations[] = {
    {"000_base_rate_limiting", KONG_0_14, false, rate_limiting_base, COUNT_OF(rate_limiting_base)},
    {"001_14_to_15", KONG_1_0, true, rate_limiting_14_to_15, COUNT_OF(rate_limiting_14_to_15)},
    {"002_15_to_10", KONG_1_0, true, rate_limiting_15_to_10, COUNT_OF(rate_limiting_15_to_10)},
    {"003_10_to_112", KONG_1_1, false, from_10_to_112, COUNT_OF(from_10_to_112)},
};

static const struct migration response_ratelimiting_migrations[] = {
    {"000_base_response_rate_limiting", KONG_0_14, false, response_ratelimiting_base, COUNT_OF(response_ratelimiting_base)},
    {"001_14_to_15", KONG_1_0, true, response_ratelimiting_14_to_15, COUNT_OF(response_ratelimiting_14_to_15)},
    {"002_15_to_10", KONG_1_0, true, response_ratelimiting_15_to_10, COUNT_OF(response_ratelimiting_15_to_10)},
};

const struct subsystem subsystem_rate_limiting = {"rate-limiting", rate_limiting_migrations, COUNT_OF(rate_limiting_migrations)};
const struct subsystem subsystem_response_ratelimiting = {"response-ratelimiting", response_ratelimiting_migrations,
                                                          COUNT_OF(response_ratelimiting_migrations)};
