/* codec/toml.h - TOML as files of settings use it: one table or pair at a time, each with its line. */
#ifndef MLR_CODEC_TOML_H
#define MLR_CODEC_TOML_H
#include "base/buf.h"

typedef enum mlr_toml_kind {
    MLR_TOML_TABLE,            /* [a.b] */
    MLR_TOML_ELEMENT,          /* [[a.b]]: one more of a list of tables */
    MLR_TOML_STRING, MLR_TOML_TRUE, MLR_TOML_FALSE,
    MLR_TOML_ARRAY, MLR_TOML_INLINE,   /* [ … ] and { … }: read over, for their sake who only needs the rest */
    MLR_TOML_OTHER             /* numbers and times, unchecked */
} mlr_toml_kind;
typedef struct mlr_toml_item {
    mlr_toml_kind kind;
    unsigned line;
    const char *table;         /* "a.b", "" before the first; a part that is not bare stands in quotes */
    const char *key;           /* likewise; "" for the tables themselves */
    const char *text;          /* of a string */
    size_t n;                  /* of an array: its elements */
} mlr_toml_item;
typedef struct mlr_toml {
    const char *name, *at, *end;
    unsigned line, depth;
    mlr_buf table, key, text;
} mlr_toml;

/* Borrows both. EPROTO for what is no UTF-8 text. `name` is the file, as messages call it. */
int  mlr_toml_begin(mlr_toml *t, const char *name, const char *text, size_t len, mlreg_error **err);
/* 1 with an item, good until the next call; 0 at the end; EPROTO names file and line. Who asks checks what TOML forbids
 * across lines (a key or table that is there twice); strings over several lines are refused. */
int  mlr_toml_next(mlr_toml *t, mlr_toml_item *out, mlreg_error **err);
void mlr_toml_done(mlr_toml *t);
#endif
