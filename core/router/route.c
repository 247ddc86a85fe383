#include "core/router/route.h"

#include "core/base/ascii.h"
#include "core/base/json.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

const char *route_label(const struct route *route)
{
    return route->name != NULL && route->name[0] != '\0' ? route->name : route->id;
}

static char *lower(const char *text)
{
    char *copy = mem_dup(text);
    for (char *c = copy; *c != '\0'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return copy;
}

static void add_header(struct route *route, const char *name, const json_t *values)
{
    size_t i;
    json_t *value;
    struct route_header header = {.name = lower(name)};
    json_array_foreach(values, i, value) {
        char *text = lower(json_string_value(value) != NULL ? json_string_value(value) : "");
        names_add(&header.values, text);
        free(text);
    }
    if (strcmp(header.name, "host") == 0) {
        free(header.name);
        names_free(&header.values);
        return;
    }
    route->headers = mem_grow(route->headers, route->header_count + 1, sizeof *route->headers);
    route->headers[route->header_count++] = header;
}

bool route_set_headers(struct route *route, const json_t *object)
{
    const char *name;
    json_t *values;
    if (object == NULL || json_is_null(object))
        return true;
    if (!json_is_object(object))
        return false;
    json_object_foreach((json_t *)(uintptr_t)object, name, values) {
        if (!json_is_array(values))
            return false;
        add_header(route, name, values);
    }
    return true;
}

bool route_set_ends(struct route_ends *ends, const json_t *array)
{
    size_t i;
    json_t *each;
    if (array == NULL || json_is_null(array))
        return true;
    if (!json_is_array(array))
        return false;
    json_array_foreach(array, i, each) {
        json_t *ip = json_object_get(each, "ip"), *port = json_object_get(each, "port");
        ends->count++;
        ends->open |= (ip == NULL || json_is_null(ip)) && (port == NULL || json_is_null(port));
    }
    return true;
}

static bool read_texts(const json_t *object, const char *key, struct names *names, bool upper)
{
    size_t i;
    json_t *value, *array = json_object_get(object, key);
    if (array == NULL || json_is_null(array))
        return true;
    if (!json_is_array(array))
        return false;
    json_array_foreach(array, i, value) {
        if (!json_is_string(value))
            return false;
        names_add(names, json_string_value(value));
        for (char *c = names->list[names->count - 1]; upper && *c != '\0'; c++)
            *c = ascii_upper(*c);
    }
    return true;
}

static bool is_null(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value == NULL || json_is_null(value);
}

static bool read_one(const json_t *object, struct route *route)
{
    static const char *const attributes[] = {"hosts", "paths", "methods", "snis", "sources", "destinations"};
    const json_t *service = json_object_get(object, "service"), *name = json_object_get(object, "name");
    route->id = mem_dup(json_get_text(object, "id"));
    route->name = mem_dup(json_string_value(name));
    route->service = mem_dup(json_is_object(service) ? json_get_text(service, "name") : json_string_value(service));
    route->regex_priority = json_number_value(json_object_get(object, "regex_priority"));
    route->created_at = (int64_t)(json_number_value(json_object_get(object, "created_at")) * 1e6);
    route->hosts_null = is_null(object, "hosts");
    route->bare = true;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        route->bare = route->bare && is_null(object, attributes[i]);
    return read_texts(object, "protocols", &route->protocols, false) && read_texts(object, "methods", &route->methods, true) &&
        read_texts(object, "hosts", &route->hosts, false) && read_texts(object, "paths", &route->paths, false) &&
        read_texts(object, "snis", &route->snis, false) && route_set_headers(route, json_object_get(object, "headers")) &&
        route_set_ends(&route->sources, json_object_get(object, "sources")) &&
        route_set_ends(&route->destinations, json_object_get(object, "destinations"));
}

bool routes_from_json(const json_t *array, struct routes *routes, struct error *error)
{
    *routes = (struct routes){0};
    if (!json_is_array(array))
        return error_set(error, ERROR_FILE, "routes are no JSON array");
    routes->list = mem_zero(json_array_size(array) + 1, sizeof *routes->list);
    for (size_t i = 0; i < json_array_size(array); i++) {
        routes->count++;
        if (!read_one(json_array_get(array, i), &routes->list[i]))
            return error_set(error, ERROR_FILE, "route %s has an attribute of another type than Kong's", routes->list[i].id);
    }
    return true;
}

static void free_one(struct route *route)
{
    free(route->id);
    free(route->name);
    free(route->service);
    names_free(&route->protocols);
    names_free(&route->methods);
    names_free(&route->hosts);
    names_free(&route->paths);
    names_free(&route->snis);
    for (size_t i = 0; i < route->header_count; i++) {
        free(route->headers[i].name);
        names_free(&route->headers[i].values);
    }
    free(route->headers);
}

void routes_free(struct routes *routes)
{
    for (size_t i = 0; i < routes->count; i++)
        free_one(&routes->list[i]);
    free(routes->list);
    *routes = (struct routes){0};
}
