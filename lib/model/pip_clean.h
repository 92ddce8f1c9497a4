/* model/pip_clean.h - what pip leaves that differs from machine to machine, taken out. */
#ifndef MLR_MODEL_PIP_CLEAN_H
#define MLR_MODEL_PIP_CLEAN_H
#include "base/op.h"

/* Compiled files, notes of where a package came from, and the path of this machine's Python in scripts. */
int mlr_pip_clean(const char *dir, mlr_op *op, mlreg_error **err);
#endif
