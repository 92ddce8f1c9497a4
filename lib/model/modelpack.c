/* model/modelpack.c - the CNCF ModelPack v0.0.7: config and layer annotations as its specification has them. */
#include "model/modelpack.h"

#include <string.h>
#include "base/alloc.h"
#include "base/error.h"

#define CONFIG_MAX_BYTES (16u << 20)
#define METADATA_KEY "org.cncf.model.file.metadata+json"
#define NO_TIME "1970-01-01T00:00:00Z"

static void put_descriptor(mlr_json_out *o, const mlr_facts *f)
{
    mlr_json_open(o, "descriptor", '{');
    mlr_json_put_string(o, "family", f->family);
    if (f->license != NULL) {
        mlr_json_open(o, "licenses", '[');
        mlr_json_put_string(o, NULL, f->license);
        mlr_json_close(o, ']');
    }
    mlr_json_close(o, '}');
}

static void put_config(mlr_json_out *o, const mlr_facts *f)
{
    char text[32];

    mlr_json_open(o, "config", '{');
    mlr_json_put_string(o, "architecture", f->architecture);
    mlr_json_put_string(o, "format", f->format);
    if (mlr_facts_param_size(f, text))
        mlr_json_put_string(o, "paramSize", text);
    if (mlr_facts_precision(f, text))
        mlr_json_put_string(o, "precision", text);
    if (mlr_facts_quantization(f, text))
        mlr_json_put_string(o, "quantization", text);
    mlr_json_close(o, '}');
}

int mlr_modelpack_config(const mlr_facts *f, const mlr_descriptor *layers, size_t n_layers, mlr_buf *out, mlreg_error **err)
{
    mlr_json_out o;

    mlr_json_begin(&o, out, err);
    mlr_json_open(&o, NULL, '{');
    put_descriptor(&o, f);
    mlr_json_open(&o, "modelfs", '{');
    mlr_json_put_string(&o, "type", "layers");
    mlr_json_open(&o, "diffIds", '[');
    for (size_t i = 0; i < n_layers; i++)
        mlr_json_put_string(&o, NULL, layers[i].digest.text);
    mlr_json_close(&o, ']');
    mlr_json_close(&o, '}');
    put_config(&o, f);
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}

static int put_metadata(const char *title, uint64_t bytes, bool executable, mlr_buf *out, mlreg_error **err)
{
    const char *slash = strrchr(title, '/');
    mlr_json_out o;

    mlr_json_begin(&o, out, err);
    mlr_json_open(&o, NULL, '{');
    mlr_json_put_string(&o, "name", slash != NULL ? slash + 1 : title);
    mlr_json_put_u64(&o, "mode", executable ? 0755 : 0644);
    mlr_json_put_u64(&o, "uid", 0);
    mlr_json_put_u64(&o, "gid", 0);
    mlr_json_put_u64(&o, "size", bytes);
    mlr_json_put_string(&o, "mtime", NO_TIME);
    mlr_json_put_u64(&o, "typeflag", '0');
    mlr_json_close(&o, '}');
    return mlr_json_end(&o);
}

int mlr_modelpack_annotate(mlr_descriptor *layer, const char *title, bool executable, mlreg_error **err)
{
    mlr_buf metadata = MLR_BUF_INIT(CONFIG_MAX_BYTES);
    int rc;

    if ((rc = mlr_descriptor_annotate(layer, MLR_TITLE_KEY, title, err)) == 0 &&
        (rc = mlr_descriptor_annotate(layer, MLR_FILEPATH_KEY, title, err)) == 0 &&
        (rc = put_metadata(title, layer->bytes, executable, &metadata, err)) == 0)
        rc = mlr_descriptor_annotate(layer, METADATA_KEY, metadata.data, err);
    mlr_buf_done(&metadata);
    return rc;
}

int mlr_modelpack_mode(const mlr_descriptor *layer, unsigned *out, mlreg_error **err)
{
    const char *text = mlr_descriptor_annotation(layer, METADATA_KEY);
    mlr_json *j = NULL;
    uint64_t mode = 0;

    if (text != NULL && mlr_json_parse(text, strlen(text), METADATA_KEY, &j, NULL) == MLREG_ENOMEM)
        return mlr_error_nomem(err);
    *out = mlr_json_u64(mlr_json_get(j, "mode"), &mode) && (mode & 0100) ? 0755 : 0644;
    mlr_json_free(j);
    return 0;
}

int mlr_modelpack_annotate_tar(mlr_descriptor *layer, const char *title, mlreg_error **err)
{
    char *whole = mlr_asprintf("%s.tar%s", title, strstr(layer->media_type, "+gzip") != NULL ? ".gz" : strstr(layer->media_type, "+zstd") != NULL ? ".zst" : "");
    int rc = whole == NULL ? mlr_error_nomem(err) : mlr_descriptor_annotate(layer, MLR_TITLE_KEY, whole, err);

    mlr_free(whole);
    return rc < 0 ? rc : mlr_descriptor_annotate(layer, MLR_FILEPATH_KEY, title, err);
}
