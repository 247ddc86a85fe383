/*
 * What nodes ask of core's tables. Columns from kong/db/schema/entities/NAME.lua at each tag; the five entities that 0.14 has already
 * moved there (services, routes, certificates, snis, consumers) are here too, its others in proof_legacy.c.
 */
#include "core/migrations/proof_statements.h"

#define TAGS(C, T) C(tags, "ARRAY[" PROOF_TEXT "]")

#define SERVICES(C, T) \
    T(updated_at) C(name, PROOF_TEXT) C(retries, "5") C(protocol, "'http'") C(host, "'proof.invalid'") C(port, "80") C(path, "NULL") \
    C(connect_timeout, "60000") C(write_timeout, "60000") C(read_timeout, "60000")
#define SERVICES_1_1(C, T) SERVICES(C, T) TAGS(C, T)
#define SERVICES_1_3(C, T) SERVICES_1_1(C, T) C(client_certificate_id, PROOF_PARENT)

#define ROUTES(C, T) \
    T(updated_at) C(protocols, "ARRAY['http', 'https']") C(methods, "ARRAY['GET']") C(hosts, "ARRAY['proof.invalid']") \
    C(paths, "ARRAY['/']") C(regex_priority, "0") C(strip_path, "TRUE") C(preserve_host, "FALSE") C(service_id, PROOF_PARENT)
#define ADDRESSES "ARRAY['{\"ip\":\"192.0.2.1\",\"port\":1}']::JSONB[]"
#define ROUTES_1_0(C, T) ROUTES(C, T) C(name, PROOF_TEXT) C(snis, "'{}'") C(sources, ADDRESSES) C(destinations, ADDRESSES)
#define ROUTES_1_1(C, T) ROUTES_1_0(C, T) TAGS(C, T)
#define ROUTES_1_2(C, T) ROUTES_1_1(C, T) C(https_redirect_status_code, "426")
#define ROUTES_1_3(C, T) ROUTES_1_2(C, T) C(headers, "'{\"x-proof\":[\"1\"]}'")

#define CERTIFICATES(C, T) C(cert, "'proof'") C(key, "'proof'")
#define CERTIFICATES_1_1(C, T) CERTIFICATES(C, T) TAGS(C, T)

#define SNIS(C, T) C(name, PROOF_TEXT) C(certificate_id, PROOF_PARENT)
#define SNIS_1_1(C, T) SNIS(C, T) TAGS(C, T)

#define CONSUMERS(C, T) C(username, PROOF_TEXT) C(custom_id, PROOF_TEXT)
#define CONSUMERS_1_1(C, T) CONSUMERS(C, T) TAGS(C, T)

#define PLUGINS(C, T) \
    C(name, PROOF_TEXT) C(route_id, PROOF_PARENT) C(service_id, PROOF_PARENT) C(consumer_id, PROOF_PARENT) C(config, "'{\"proof\":1}'") \
    C(run_on, "'first'") C(enabled, "FALSE")
#define PLUGINS_1_1(C, T) PLUGINS(C, T) C(protocols, "ARRAY['http', 'https']") TAGS(C, T)
#define PLUGIN_KEY "'plugins:kong-upgrade-proof-b2f6c7de:::::'"
#define CACHE_KEY_HIDDEN(C, T) C(cache_key, PLUGIN_KEY)

#define UPSTREAMS(C, T) \
    C(name, PROOF_TEXT) C(hash_on, "'none'") C(hash_fallback, "'none'") C(hash_on_header, "NULL") C(hash_fallback_header, "NULL") \
    C(hash_on_cookie, "NULL") C(hash_on_cookie_path, "'/'") C(slots, "10000") C(healthchecks, "'{\"active\":{\"type\":\"http\"}}'")
#define UPSTREAMS_1_1(C, T) UPSTREAMS(C, T) TAGS(C, T)
#define UPSTREAMS_1_3(C, T) UPSTREAMS_1_1(C, T) C(algorithm, "'round-robin'")

#define TARGETS(C, T) C(upstream_id, PROOF_PARENT) C(target, "'proof.invalid:8000'") C(weight, "100")
#define TARGETS_1_1(C, T) TARGETS(C, T) TAGS(C, T)

#define CA_CERTIFICATES(C, T) C(cert, PROOF_TEXT) TAGS(C, T)

/* Entities with a unique key, a parent, tags: each the same for several ranges of releases. */
#define NAMED(from_, to_, table_, columns_, key_) \
    ENTITY(from_, to_, "core", table_, columns_, NOTHING_HIDDEN, ALWAYS_ALIVE), \
    BY_KEY(from_, to_, "core", table_, columns_, NOTHING_HIDDEN, key_, PROOF_TEXT, key_, ALWAYS_ALIVE)
#define END(from_, to_, table_) ENTITY_END(from_, to_, "core", table_, ALWAYS_ALIVE)

#define SERVICE_ROWS(from_, to_, columns_) NAMED(from_, to_, "services", columns_, "name"), END(from_, to_, "services")
#define ROUTE_ROWS(from_, to_, columns_) \
    NAMED(from_, to_, "routes", columns_, "name"), OF_PARENT(from_, to_, "core", "routes", columns_, "service_id", ALWAYS_ALIVE), \
    END(from_, to_, "routes")
#define CERTIFICATE_ROWS(from_, to_, columns_) \
    ENTITY(from_, to_, "core", "certificates", columns_, NOTHING_HIDDEN, ALWAYS_ALIVE), END(from_, to_, "certificates")
#define SNI_ROWS(from_, to_, columns_) \
    NAMED(from_, to_, "snis", columns_, "name"), OF_PARENT(from_, to_, "core", "snis", columns_, "certificate_id", ALWAYS_ALIVE), \
    END(from_, to_, "snis")
#define CONSUMER_ROWS(from_, to_, columns_) \
    NAMED(from_, to_, "consumers", columns_, "username"), KEY_OF(from_, to_, "core", "consumers", columns_, "custom_id", PROOF_TEXT, ALWAYS_ALIVE), \
    END(from_, to_, "consumers")
#define UPSTREAM_ROWS(from_, to_, columns_) NAMED(from_, to_, "upstreams", columns_, "name"), END(from_, to_, "upstreams")
/* Several targets may have the same name: they are never put by it. */
#define TARGET_ROWS(from_, to_, columns_) \
    ENTITY(from_, to_, "core", "targets", columns_, NOTHING_HIDDEN, ALWAYS_ALIVE), \
    KEY_OF(from_, to_, "core", "targets", columns_, "target", "'proof.invalid:8000'", ALWAYS_ALIVE), \
    OF_PARENT(from_, to_, "core", "targets", columns_, "upstream_id", ALWAYS_ALIVE), END(from_, to_, "targets")

/* Until 001 is executed a plugin that is not found by its cache_key is searched by the columns that this is made of. */
#define PLUGIN_ROWS(from_, to_, columns_) \
    ENTITY(from_, to_, "core", "plugins", columns_, CACHE_KEY_HIDDEN, ALWAYS_ALIVE), \
    BY_KEY(from_, to_, "core", "plugins", columns_, CACHE_KEY_HIDDEN, "cache_key", PLUGIN_KEY, "cache_key", ALWAYS_ALIVE), \
    STATEMENT(from_, to_, "core", "plugins", "kong/db/strategies/postgres/plugins.lua", "SELECT " READ(columns_) " FROM plugins WHERE name = " \
              PROOF_TEXT " AND route_id IS NULL AND service_id = " PROOF_PARENT " AND consumer_id IS NULL AND api_id IS NULL"), \
    OF_PARENT(from_, to_, "core", "plugins", columns_, "route_id", ALWAYS_ALIVE), \
    OF_PARENT(from_, to_, "core", "plugins", columns_, "service_id", ALWAYS_ALIVE), \
    OF_PARENT(from_, to_, "core", "plugins", columns_, "consumer_id", ALWAYS_ALIVE), END(from_, to_, "plugins")

#define TAGS_SOURCE "kong/db/strategies/postgres/tags.lua"
#define EVENTS_SOURCE "kong/cluster_events/strategies/postgres.lua"
#define CONNECTOR_SOURCE "kong/db/strategies/postgres/connector.lua"

static const struct proof_statement statements[] = {
    PARENT("core", "services", "certificates", "", ""),
    SERVICE_ROWS(0_14, 1_0, SERVICES),
    SERVICE_ROWS(1_1, 1_2, SERVICES_1_1),
    SERVICE_ROWS(1_3, 1_3, SERVICES_1_3),
    BY_TAGS(1_1, 1_2, "core", "services", SERVICES_1_1),
    BY_TAGS(1_3, 1_3, "core", "services", SERVICES_1_3),
    OF_PARENT(1_3, 1_3, "core", "services", SERVICES_1_3, "client_certificate_id", ALWAYS_ALIVE),

    PARENT("core", "routes", "services", "", ""),
    ENTITY(0_14, 0_14, "core", "routes", ROUTES, NOTHING_HIDDEN, ALWAYS_ALIVE),
    OF_PARENT(0_14, 0_14, "core", "routes", ROUTES, "service_id", ALWAYS_ALIVE),
    END(0_14, 0_14, "routes"),
    ROUTE_ROWS(1_0, 1_0, ROUTES_1_0),
    ROUTE_ROWS(1_1, 1_1, ROUTES_1_1),
    ROUTE_ROWS(1_2, 1_2, ROUTES_1_2),
    ROUTE_ROWS(1_3, 1_3, ROUTES_1_3),
    BY_TAGS(1_1, 1_1, "core", "routes", ROUTES_1_1),
    BY_TAGS(1_2, 1_2, "core", "routes", ROUTES_1_2),
    BY_TAGS(1_3, 1_3, "core", "routes", ROUTES_1_3),

    CERTIFICATE_ROWS(0_14, 1_0, CERTIFICATES),
    CERTIFICATE_ROWS(1_1, 1_3, CERTIFICATES_1_1),
    BY_TAGS(1_1, 1_3, "core", "certificates", CERTIFICATES_1_1),

    PARENT("core", "snis", "certificates", "", ""),
    SNI_ROWS(0_14, 1_0, SNIS),
    SNI_ROWS(1_1, 1_3, SNIS_1_1),
    BY_TAGS(1_1, 1_3, "core", "snis", SNIS_1_1),

    CONSUMER_ROWS(0_14, 1_0, CONSUMERS),
    CONSUMER_ROWS(1_1, 1_3, CONSUMERS_1_1),
    BY_TAGS(1_1, 1_3, "core", "consumers", CONSUMERS_1_1),

    PARENT("core", "plugins", "services", "", ""),
    PARENT("core", "plugins", "routes", "", ""),
    PARENT("core", "plugins", "consumers", "", ""),
    PLUGIN_ROWS(1_0, 1_0, PLUGINS),
    PLUGIN_ROWS(1_1, 1_3, PLUGINS_1_1),
    BY_TAGS(1_1, 1_3, "core", "plugins", PLUGINS_1_1),

    UPSTREAM_ROWS(1_0, 1_0, UPSTREAMS),
    UPSTREAM_ROWS(1_1, 1_2, UPSTREAMS_1_1),
    UPSTREAM_ROWS(1_3, 1_3, UPSTREAMS_1_3),
    BY_TAGS(1_1, 1_2, "core", "upstreams", UPSTREAMS_1_1),
    BY_TAGS(1_3, 1_3, "core", "upstreams", UPSTREAMS_1_3),

    PARENT("core", "targets", "upstreams", ", slots", ", 10"),
    TARGET_ROWS(1_0, 1_0, TARGETS),
    TARGET_ROWS(1_1, 1_3, TARGETS_1_1),
    BY_TAGS(1_1, 1_3, "core", "targets", TARGETS_1_1),

    ENTITY(1_3, 1_3, "core", "ca_certificates", CA_CERTIFICATES, NOTHING_HIDDEN, ALWAYS_ALIVE),
    BY_KEY(1_3, 1_3, "core", "ca_certificates", CA_CERTIFICATES, NOTHING_HIDDEN, "cert", PROOF_TEXT, "cert", ALWAYS_ALIVE),
    BY_TAGS(1_3, 1_3, "core", "ca_certificates", CA_CERTIFICATES),
    END(1_3, 1_3, "ca_certificates"),

    /* The one row may be the operator's. */
    STATEMENT(1_0, 1_3, "core", "cluster_ca", ENTITY_SOURCE, "SELECT \"pk\", \"key\", \"cert\" FROM \"cluster_ca\" WHERE (\"pk\") = (TRUE) LIMIT 1"),
    PLANNED(1_0, 1_3, "core", "cluster_ca", ENTITY_SOURCE, "EXISTS (SELECT 1 FROM cluster_ca)",
            "INSERT INTO \"cluster_ca\" (\"pk\", \"key\", \"cert\") VALUES (TRUE, 'proof', 'proof') RETURNING \"pk\", \"key\", \"cert\""),

    STATEMENT(1_1, 1_3, "core", "tags", TAGS_SOURCE, "SELECT entity_id, entity_name, tag, ordinality FROM tags,"
              " UNNEST(tags) WITH ORDINALITY AS t_tag (tag, ordinality) ORDER BY entity_id LIMIT 1"),
    STATEMENT(1_1, 1_3, "core", "tags", TAGS_SOURCE, "SELECT entity_id, entity_name, tag, ordinality FROM tags,"
              " UNNEST(tags) WITH ORDINALITY AS t_tag (tag, ordinality) WHERE entity_id > " PROOF_LAST " OR (entity_id = " PROOF_LAST
              " AND ordinality > 1) ORDER BY entity_id LIMIT 1"),
    STATEMENT(1_1, 1_3, "core", "tags", TAGS_SOURCE,
              "SELECT entity_id, entity_name FROM tags WHERE entity_id > " PROOF_LAST " AND " PROOF_TEXT " = ANY(tags) ORDER BY entity_id LIMIT 1"),
    PLANNED(1_1, 1_3, "core", "tags", TAGS_SOURCE, "true",
            "SELECT entity_id, entity_name FROM tags WHERE " PROOF_TEXT " = ANY(tags) ORDER BY entity_id LIMIT 1"),

    STATEMENT(1_0, 1_3, "core", "schema_meta", CONNECTOR_SOURCE, "SELECT * FROM schema_meta WHERE key = 'schema_meta'"),
    STATEMENT(1_0, 1_3, "core", "locks", CONNECTOR_SOURCE,
              "DELETE FROM locks WHERE ttl < CURRENT_TIMESTAMP AT TIME ZONE 'UTC' AND key = " PROOF_TEXT),
    STATEMENT(1_0, 1_3, "core", "locks", CONNECTOR_SOURCE,
              "INSERT INTO locks (key, owner, ttl) VALUES (" PROOF_TEXT ", " PROOF_ID ", " PROOF_TIME ") ON CONFLICT DO NOTHING"),
    STATEMENT(1_0, 1_3, "core", "locks", CONNECTOR_SOURCE,
              "SELECT * FROM locks WHERE key = " PROOF_TEXT " AND ttl >= CURRENT_TIMESTAMP AT TIME ZONE 'UTC' LIMIT 1"),
    STATEMENT(1_0, 1_3, "core", "locks", CONNECTOR_SOURCE, "DELETE FROM locks WHERE key = " PROOF_TEXT " AND owner = " PROOF_ID),

    STATEMENT(0_14, 1_3, "core", "cluster_events", EVENTS_SOURCE, "SELECT id, node_id, channel, data, extract(epoch FROM at) AS at,"
              " extract(epoch FROM nbf) AS nbf FROM cluster_events WHERE channel IN ('invalidations', 'balancer:targets')"
              " AND at > to_timestamp(253402300000) AND at <= to_timestamp(253402300799.123)"),
    /* Its trigger deletes expired rows, which are not ours: where there are some, it is not run. */
    PLANNED(0_14, 1_3, "core", "cluster_events", EVENTS_SOURCE, "EXISTS (SELECT 1 FROM cluster_events WHERE expire_at <= now())",
            "INSERT INTO cluster_events (id, node_id, at, nbf, expire_at, channel, data) VALUES (" PROOF_ID ", " PROOF_PARENT
            ", to_timestamp(1546300800.123), to_timestamp(NULL), to_timestamp(253402300799), 'kong-upgrade', 'proof')"),
};

const struct proof_table proof_core = {statements, PROOF_COUNT(statements)};
