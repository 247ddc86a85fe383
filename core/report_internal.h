/* What the files of the report share: report.c (runs, backups, hooks, decisions), report_summary.c (from and to, steps, nodes, traffic). */
#ifndef CORE_REPORT_INTERNAL_H
#define CORE_REPORT_INTERNAL_H

#include "core/base/buf.h"
#include "core/run_view.h"

#include <jansson.h>

/* False: there is no such journal, or it has no beginning. run_view_free the view in either case. */
bool report_read_run(const char *path, struct run_view *view);

/* Text from outside must stay text: no line of its own, no end of a table's cell, no HTML, no link. */
void report_add_text(struct buf *out, const char *text);
void report_add_cell(struct buf *out, const char *text);

/* The upgrade as a whole; a section each. */
void report_add_summary(struct buf *out, const char *folder);

/* Sets "upgrade", "nodes" and "traffic". */
void report_set_summary(json_t *report, const char *folder);

#endif
