/* place/index_parts.h - what the files of the room index share: the entries of a repository's list. */
#ifndef MLR_PLACE_INDEX_PARTS_H
#define MLR_PLACE_INDEX_PARTS_H
#include "place/index.h"

#define MLR_INDEX_REF_NAME "org.opencontainers.image.ref.name"

/* What is no descriptor is kept as it stands, and means nothing. */
static inline bool mlr_index_is_used(const mlr_descriptor *entry)
{
    return entry->digest.text[0] != 0;
}

static inline const char *mlr_index_ref_name(const mlr_descriptor *entry)
{
    return mlr_index_is_used(entry) ? mlr_descriptor_annotation(entry, MLR_INDEX_REF_NAME) : NULL;
}
#endif
