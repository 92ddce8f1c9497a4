/* model/glob.h - patterns that choose files: '*' and '?' within a component, '**' across. */
#ifndef MLR_MODEL_GLOB_H
#define MLR_MODEL_GLOB_H
#include "model/checkout.h"

/* A pattern without '/' is matched against the path's last component, as .gitignore does. */
bool mlr_glob_match(const char *pattern, const char *path);
bool mlr_glob_selected(const mlr_checkout *how, const char *path);
#endif
