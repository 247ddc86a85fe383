#include "core/base/json.h"

#include "core/base/utf8.h"

#include <stdlib.h>

json_t *json_text(const char *text)
{
    if (text == NULL)
        return json_null();
    char *clean = utf8_clean(text);
    json_t *json = json_string(clean);
    free(clean);
    return json;
}

json_t *json_names(const struct names *names)
{
    json_t *array = json_array();
    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(array, json_text(names->list[i]));
    return array;
}

const char *json_get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}
