/* model/layer_file.c - the file that a layer stands for: the layer itself, or what is in a plain tar of one file. */
#include "model/layer.h"

#include <string.h>
#include "codec/tarfile.h"

static int64_t view_read_at(mlr_reader *r, uint64_t offset, void *buf, size_t len, mlr_op *op, mlreg_error **err)
{
    return mlr_layer_read_at(((mlr_layer_view *)r)->of, offset, buf, len, op, err);
}

static const mlr_reader_ops view_ops = { .read_at = view_read_at };

mlr_reader *mlr_layer_as_reader(mlr_layer_view *v, mlr_layer *l, const char *name)
{
    *v = (mlr_layer_view){ { &view_ops, mlr_layer_bytes(l), -1, false, name }, l };
    return &v->reader;
}

static int narrow_to_file(mlr_layer *l, const char *name, mlr_op *op, mlreg_error **err)
{
    mlr_layer_view v;
    uint64_t offset, bytes;
    int rc = mlr_tarfile_find(mlr_layer_as_reader(&v, l, name), op, &offset, &bytes, err);

    return rc < 0 ? rc : mlr_layer_narrow(l, offset, bytes, err);
}

int mlr_layer_open_file(mlr_place *p, const mlr_blob *b, const mlr_layer_open *o, mlr_op *op, mlr_layer **out, mlreg_error **err)
{
    const mlr_layer_open whole = { .unverified = o->unverified };
    mlr_layer *l = NULL;
    int rc = mlr_layer_open_at(p, b, &whole, op, &l, err);

    if (rc == 0 && b->media_type != NULL && strstr(b->media_type, ".tar") != NULL)
        rc = narrow_to_file(l, b->digest.text, op, err);
    if (rc == 0 && (rc = mlr_layer_narrow(l, o->offset, o->bytes == 0 && o->offset <= mlr_layer_bytes(l) ? mlr_layer_bytes(l) - o->offset : o->bytes, err)) == 0)
        *out = l;
    else
        mlr_layer_free(l);
    return rc;
}
