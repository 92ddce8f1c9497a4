/* page.h - what the two files of the page for people share. */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H
#include "serve.h"

void page_put_size(text *t, uint64_t bytes);
void page_put_host(text *t, const request *r);
/* `shown`, as a link to the page of what `ref`, a tag or a digest, is in that repository. */
void page_put_link(text *t, const char *repo, const char *ref, const char *shown);
/* What is known of one artifact, and what that leads to. */
void page_put_artifact(text *t, const request *r, const char *repo, const char *ref);
#endif
