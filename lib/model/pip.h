/* model/pip.h - Python packages into a folder, by the machine's own pip. */
#ifndef MLR_MODEL_PIP_H
#define MLR_MODEL_PIP_H
#include "base/op.h"
#include "codec/digest.h"

typedef struct mlr_pip {
    char *requirements, *target, *python, *version, *platform;   /* version, platform ("linux/arm64"): NULL: this machine's */
    char **args; size_t n_args;
    char *dir;                                     /* where it was installed; NULL: not yet */
} mlr_pip;
/* `platform` NULL: this machine's. Looks only whether the file is there. */
int  mlr_pip_new(const mlreg_pip_options *o, const char *requirements, const char *platform, mlr_pip **out, mlreg_error **err);
void mlr_pip_free(mlr_pip *p);                     /* and removes what was installed; NULL is fine */
/* 1 and a digest of all that decides what comes of it; 0: not every requirement is pinned, so it may be another thing tomorrow. */
int  mlr_pip_key(const mlr_pip *p, mlr_op *op, mlr_digest *out, mlreg_error **err);
/* Installs into a temporary folder, p->dir, and takes out what would differ from machine to machine. */
int  mlr_pip_install(mlr_pip *p, mlr_op *op, mlreg_error **err);
#endif
