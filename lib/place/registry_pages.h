/* place/registry_pages.h - a list that comes in pages: following Link, never to another origin and never for ever. */
#ifndef MLR_PLACE_REGISTRY_PAGES_H
#define MLR_PLACE_REGISTRY_PAGES_H
#include "codec/json.h"
#include "place/registry_ask.h"

#define MLR_PAGES_MAX 2000
typedef struct mlr_pages {
    mlr_registry *g;
    mlr_ask *ask;                    /* the first request; the caller's */
    char *next;                      /* URL of the next page; NULL: none is known */
    unsigned n;                      /* read so far */
    int status;                      /* of the last answer */
} mlr_pages;

int  mlr_pages_next(mlr_pages *p, mlr_op *op, mlr_json **page, mlreg_error **err);   /* 1: *page is yours; 0: no more */
int  mlr_pages_after(mlr_pages *p, const char *last, mlreg_error **err);   /* the next begins behind the name `last` */
void mlr_pages_done(mlr_pages *p);
#endif
