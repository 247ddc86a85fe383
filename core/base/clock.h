/* Time: monotonic for durations and ages, wall clock for what people read. */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ms(void);             /* CLOCK_MONOTONIC in milliseconds: for durations within one process */
int64_t clock_wall_ms(void);        /* milliseconds since the epoch: for the journal */

/* A wall time of the past on the monotonic clock, on which ages are counted. One that lies ahead, since the wall clock was set back, is now. */
int64_t clock_of_wall(int64_t wall_ms);

#define CLOCK_TEXT_SIZE 32
/* "2026-11-24T14:11:08.123Z" for a wall time in milliseconds; `text` holds CLOCK_TEXT_SIZE bytes. */
const char *clock_text(int64_t wall_ms, char text[CLOCK_TEXT_SIZE]);

#endif
