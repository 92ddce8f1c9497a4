/* api/list.c - reading lists and descriptors. */
#include <mlreg.h>

#include "place/descriptor.h"

size_t mlreg_list_count(const mlreg_list *l)
{
    return l != NULL ? l->n : 0;
}

const char *mlreg_list_name(const mlreg_list *l, size_t i)
{
    return l != NULL && i < l->n ? l->items[i].name : NULL;
}

const mlreg_descriptor *mlreg_list_descriptor(const mlreg_list *l, size_t i)
{
    return l != NULL && i < l->n ? l->items[i].descriptor : NULL;
}

void mlreg_list_free(mlreg_list *l)
{
    mlr_list_free(l);
}

uint64_t mlreg_descriptor_bytes(const mlreg_descriptor *d)
{
    return d != NULL ? d->bytes : 0;
}

const char *mlreg_descriptor_digest(const mlreg_descriptor *d)
{
    return d != NULL ? d->digest.text : NULL;
}

const char *mlreg_descriptor_media_type(const mlreg_descriptor *d)
{
    return d != NULL ? d->media_type : NULL;
}

const char *mlreg_descriptor_artifact_type(const mlreg_descriptor *d)
{
    return d != NULL ? d->artifact_type : NULL;
}

const char *mlreg_descriptor_title(const mlreg_descriptor *d)
{
    return d != NULL ? mlr_descriptor_title(d) : NULL;
}

const char *mlreg_descriptor_platform(const mlreg_descriptor *d)
{
    return d != NULL ? d->platform : NULL;
}

const char *mlreg_descriptor_annotation(const mlreg_descriptor *d, const char *key)
{
    return d != NULL && key != NULL ? mlr_descriptor_annotation(d, key) : NULL;
}

int mlreg_descriptor_annotation_at(const mlreg_descriptor *d, size_t i, const char **key, const char **value)
{
    if (d == NULL || key == NULL || value == NULL)
        return MLREG_EINVAL;
    if (i >= d->n_annotations)
        return MLREG_ENOTFOUND;
    *key = d->annotations[i].key;
    *value = d->annotations[i].value;
    return 0;
}
