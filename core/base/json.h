/* What jansson does not do by itself: texts that may be NULL or invalid UTF-8. */
#ifndef CORE_BASE_JSON_H
#define CORE_BASE_JSON_H

#include "core/base/names.h"

#include <jansson.h>

json_t *json_text(const char *text);                /* a string, cleaned; null for NULL */
json_t *json_names(const struct names *names);      /* an array of strings */

/* The member as text, or "" where it is not there or no string. Belongs to `object`. */
const char *json_get_text(const json_t *object, const char *key);

#endif
