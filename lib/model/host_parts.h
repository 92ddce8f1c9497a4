/* model/host_parts.h - what the rooms share that look at a machine: files below its top, each with a part of the answer. */
#ifndef MLR_MODEL_HOST_PARTS_H
#define MLR_MODEL_HOST_PARTS_H
#include <stdbool.h>
#include "model/host.h"

/* The beginning of a file of /proc or /sys, `room` bytes at most, the zero behind them included; false: it cannot be read. */
bool mlr_host_file(const mlr_host_roots *r, const char *path, char *out, size_t room);
bool mlr_host_there(const mlr_host_roots *r, const char *path);
/* What stands behind `name` and blanks or a colon at the beginning of a line; NULL: no such line. Borrowed up to the end of `text`. */
const char *mlr_host_line(const char *text, const char *name);
/* A copy of the line at `text`, without blanks at its ends. NULL: out of memory. */
char *mlr_host_word(const char *text);

/* Each adds what it finds. What is not there is no failure. */
int  mlr_host_cpu(const mlr_host_roots *r, mlr_host *h, mlreg_error **err);
int  mlr_host_memory(const mlr_host_roots *r, mlr_host *h, mlreg_error **err);
int  mlr_host_nvidia(const mlr_host_roots *r, mlr_host *h, mlreg_error **err);
int  mlr_host_amd(const mlr_host_roots *r, mlr_host *h, mlreg_error **err);
#endif
