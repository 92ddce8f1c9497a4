/* model/facts.h - what a model's own files say of it: architecture, format, precision, parameters, license. */
#ifndef MLR_MODEL_FACTS_H
#define MLR_MODEL_FACTS_H
#include "base/reader.h"
#include "codec/json.h"

#define MLR_FACTS_DTYPES 32
typedef struct mlr_facts {
    char *architecture, *family, *format, *license, *precision;   /* precision as config.json says it */
    struct mlr_facts_dtype { char name[16]; uint64_t parameters; } dtypes[MLR_FACTS_DTYPES]; /* from tensor headers */
    size_t n_dtypes;
} mlr_facts;
/* Looks into config.json, README.md, safetensors and GGUF files; passes over all others. A tensor file that does not add up is EPROTO; a config.json that is no JSON is merely not believed. */
int  mlr_facts_read(const char *title, mlr_reader *r, mlr_op *op, mlr_facts *out, mlreg_error **err);
/* Adds what `more` knows and `f` does not; parameters add up between files of one format. */
int  mlr_facts_merge(mlr_facts *f, const mlr_facts *more, mlreg_error **err);
void mlr_facts_done(mlr_facts *f);

/* As ModelPack writes them; `text` holds 32 bytes. False where nothing is known. */
bool mlr_facts_param_size(const mlr_facts *f, char *text);         /* "22.7m", "8b" */
bool mlr_facts_precision(const mlr_facts *f, char *text);          /* "bf16", "mixed", … */
bool mlr_facts_quantization(const mlr_facts *f, char *text);       /* "q4_k" */
#endif
