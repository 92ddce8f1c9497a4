/* base/holder.h - who holds a lock: written into its file by the one, read for a hint by the others. */
#ifndef MLR_BASE_HOLDER_H
#define MLR_BASE_HOLDER_H
#include <stdbool.h>

#define MLR_HOLDER_BYTES 320

/* Makes "process 123 on myhost" the content of an empty file, or of one that holds such a line: nothing else is ever
 * overwritten. Whether it did; failure is no one's trouble, since the text is only for hints. */
bool mlr_holder_write(int fd);
void mlr_holder_clear(int fd);
/* Who the file names; "another process" if it names nobody, or somebody who cannot be alive. */
void mlr_holder_read(int fd, char out[MLR_HOLDER_BYTES]);
#endif
