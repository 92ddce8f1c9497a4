/* place/nameset.h - which names were seen already, in a list that strangers make as long as they like. */
#ifndef MLR_PLACE_NAMESET_H
#define MLR_PLACE_NAMESET_H
#include <mlreg.h>
#include <stdbool.h>

typedef struct mlr_nameset { const char **slots; size_t n, cap; uint64_t seed; } mlr_nameset;   /* all zero: empty */
bool mlr_nameset_has(const mlr_nameset *s, const char *name);
int  mlr_nameset_put(mlr_nameset *s, const char *name, mlreg_error **err);   /* one that it has not; borrows it */
void mlr_nameset_done(mlr_nameset *s);
#endif
