/* codec/json.h - strict JSON: one validator in front of cJSON, exact numbers, and the raw bytes of every value. */
#ifndef MLR_CODEC_JSON_H
#define MLR_CODEC_JSON_H
#include <stdbool.h>
#include "base/buf.h"

typedef struct mlr_json mlr_json;              /* a value; the root owns the tree and a copy of the text */
#define MLR_JSON_MAX_DEPTH 64
#define MLR_JSON_MAX_BYTES (16u << 20)
#define MLR_JSON_MAX_VALUES (1u << 20)         /* of a tree; also keys of the objects that are open at one place */
#define MLR_JSON_MAX_NUMBER 63                 /* characters of one number: all that cJSON reads */

/* EPROTO, with offset and reason, for anything that two parsers could read differently: duplicate keys or keys that
 * differ by case only, bytes behind the value, BOM, bad UTF-8, \u0000, lone surrogates, leading zeros, control
 * characters, NaN. ELIMIT for depth or size (both before a tree is built). `name` says in messages what the text is. */
int  mlr_json_parse(const char *text, size_t len, const char *name, mlr_json **root, mlreg_error **err);
void mlr_json_free(mlr_json *root);            /* NULL is fine */

/* Texts whose keys are names of their own, such as tensors, may differ by case; long ones may say how long. */
typedef struct mlr_json_rules {
    size_t max_bytes;                          /* 0: MLR_JSON_MAX_BYTES; below 4 GiB */
    bool   case_matters;
} mlr_json_rules;
int  mlr_json_parse_as(const mlr_json_rules *rules, const char *text, size_t len, const char *name, mlr_json **root,
                       mlreg_error **err);
/* For an object too long to become a tree: all of it is checked first, then each member is handed over, in order, as a
 * tree of its own that lives as long as the call. What `fn` returns below 0 ends it and comes back. EPROTO if the text
 * is no object. */
typedef int (*mlr_json_member_fn)(const mlr_json *member, void *user, mlreg_error **err);
int  mlr_json_each(const mlr_json_rules *rules, const char *text, size_t len, const char *name, mlr_json_member_fn fn,
                   void *user, mlreg_error **err);

/* Every accessor takes NULL for "missing". Keys are compared exactly. */
typedef enum mlr_json_type {
    MLR_JSON_MISSING, MLR_JSON_NULL, MLR_JSON_BOOL, MLR_JSON_NUMBER, MLR_JSON_STRING, MLR_JSON_ARRAY, MLR_JSON_OBJECT
} mlr_json_type;
mlr_json_type mlr_json_type_of(const mlr_json *v);
const mlr_json *mlr_json_get(const mlr_json *object, const char *key);    /* NULL if missing or no object */
size_t mlr_json_count(const mlr_json *v);                                 /* of members or elements, else 0 */
const mlr_json *mlr_json_at(const mlr_json *v, size_t i);
const mlr_json *mlr_json_first(const mlr_json *v);                        /* for walking long ones in linear time */
const mlr_json *mlr_json_next(const mlr_json *v);
const mlr_json *mlr_json_first_member(const mlr_json *v);                 /* NULL if it is no object, too: elements have no key */
const char *mlr_json_key(const mlr_json *member);
const char *mlr_json_string(const mlr_json *v);                           /* decoded; NULL if no string */
bool   mlr_json_u64(const mlr_json *v, uint64_t *out);       /* false unless written as an integer that fits, exactly */
bool   mlr_json_bool(const mlr_json *v, bool *out);
bool   mlr_json_double(const mlr_json *v, double *out);
const char *mlr_json_raw(const mlr_json *v, size_t *len);         /* the value's bytes as they stood in the text */

/* Writing: commas are put in by itself, the first failure stays and end reports it. */
typedef struct mlr_json_out { mlr_buf *to; int rc; bool comma; mlreg_error **err; } mlr_json_out;
void mlr_json_begin(mlr_json_out *o, mlr_buf *to, mlreg_error **err);
/* '{' or '['; the key is NULL in arrays and at the top, here and below. */
void mlr_json_open(mlr_json_out *o, const char *key, char bracket);
void mlr_json_close(mlr_json_out *o, char bracket);                       /* '}' or ']' */
void mlr_json_put_string(mlr_json_out *o, const char *key, const char *value);   /* value NULL: nothing is written */
void mlr_json_put_u64(mlr_json_out *o, const char *key, uint64_t value);
void mlr_json_put_raw(mlr_json_out *o, const char *key, const char *raw, size_t len);
int  mlr_json_end(mlr_json_out *o);                                       /* 0 or the first failure */
#endif
