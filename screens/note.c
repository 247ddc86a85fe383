/* A sentence in full below a list, whose cells have no room for it: after its last row, or at the area's end. */
#include "screens/whole.h"

#define NOTE_LINES 3
#define LIST_LINES 6   /* what a note leaves to a long list above it */

struct area note_draw(struct wizard *wizard, struct area area, size_t rows, enum mark mark, const char *text)
{
    const struct prose_block block = {.kind = PROSE_MARK, .mark = mark, .text = text};
    if (area.canvas->told != NULL)
        return area;   /* the list's rows are told in full */
    int room = area.height - (rows + 1 < LIST_LINES ? (int)rows + 1 : LIST_LINES);
    int height = text != NULL ? prose_height(&block, 1, area.width, area.canvas->charset) : 0;
    height = height < NOTE_LINES ? height : NOTE_LINES;
    height = height < room ? height : room;
    if (height <= 0) {
        wizard->view.cut = wizard->view.cut || text != NULL;
        whole_add(wizard, &block, text != NULL ? 1 : 0);
        return area;
    }
    int above = area.height - height, list = rows < (size_t)area.height ? (int)rows + 2 : area.height;
    above = list < above ? list : above;
    whole_draw(wizard, area_part(area, (struct rect){0, above, area.width, height}), &block, 1);
    return area_part(area, (struct rect){0, 0, area.width, above});
}
