/* model/host.h - what a machine is: architecture, CPU features, memory, accelerators. Found on this one, or told as JSON of another. */
#ifndef MLR_MODEL_HOST_H
#define MLR_MODEL_HOST_H
#include "base/buf.h"

typedef struct mlr_accelerator {
    char *kind;                      /* "cuda", "rocm", or what a description calls it */
    char *name, *driver, *runtime;   /* for people; versions with dots. NULL: not known, as below */
    char *compute;                   /* compute capability "9.0", gfx target "gfx942" */
    uint64_t memory_bytes;           /* 0: not known */
} mlr_accelerator;
typedef struct mlr_host {
    char *os, *arch, *arch_variant;  /* as OCI writes them: "linux", "amd64", "v3"; the last may be NULL */
    char *cpu;                       /* features as Linux names them, blanks between */
    uint64_t memory_bytes;           /* that a process here may use; 0: not known */
    mlr_accelerator *accelerators; size_t n, cap;
    char **notes; size_t n_notes, cap_notes;   /* what stands in the way of more, a sentence each */
} mlr_host;

/* Where this machine is looked at; every field NULL: the machine itself. */
typedef struct mlr_host_roots {
    const char *top;                 /* stands before /proc, /sys and /dev */
    const char *machine;             /* in place of uname's */
    const char *nvml;                /* the library to load; "": none */
} mlr_host_roots;
int  mlr_host_find(const mlr_host_roots *roots, mlr_host *out, mlreg_error **err);
/* As OCI writes what uname says: "x86_64" is "amd64"; what is not known stays as it is. *variant: NULL if there is none. */
const char *mlr_host_architecture(const char *machine, const char **variant);
/* This machine, looked at when first asked for and never again. Borrowed for ever. */
int  mlr_host_this(const mlr_host **host, const char **json, mlreg_error **err);

#define MLR_HOST_JSON_MAX_BYTES (1u << 20)
/* EINVAL with what is wrong and a hint. Members that are not known are passed over. */
int  mlr_host_read(const char *json, mlr_host *out, mlreg_error **err);
int  mlr_host_write(const mlr_host *h, mlr_buf *out, mlreg_error **err);
void mlr_host_done(mlr_host *h);

/* Takes `a` over, on failure too. */
int  mlr_host_add(mlr_host *h, mlr_accelerator *a, mlreg_error **err);
int  mlr_host_note(mlr_host *h, mlreg_error **err, const char *format, ...) __attribute__((format(printf, 3, 4)));
#endif
