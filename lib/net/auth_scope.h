/* net/auth_scope.h - scopes as sets: "repository:x:pull repository:y:pull" in one order, each once. */
#ifndef MLR_NET_AUTH_SCOPE_H
#define MLR_NET_AUTH_SCOPE_H
#include <mlreg.h>
#include <stdbool.h>

/* All scopes of `a` and `b` (NULL: none), sorted, joined by a blank; "" for none. mlr_free. */
int  mlr_scope_union(const char *a, const char *b, char **out, mlreg_error **err);
/* Whether every scope of `part` (NULL: none) is in `whole`, word by word. */
bool mlr_scope_has(const char *whole, const char *part);
/* The repository of the first scope that is one's, "" if there is none. mlr_free. */
int  mlr_scope_repository(const char *scope, char **out, mlreg_error **err);
#endif
