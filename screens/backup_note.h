/* The backup, as the screens Up and Finish offer it. */
#ifndef SCREENS_BACKUP_NOTE_H
#define SCREENS_BACKUP_NOTE_H

#include "core/backup/made.h"
#include "screens/screen.h"

/* "Backup: 12 min ago, 34 MB, verified: /path", "Backup: none yet"… `declared`: the operator said that there is another; `brief`:
 * without the path. MARK_WARN: there is none. */
enum mark backup_sentence(const struct backups *backups, bool declared, bool brief, char *text, size_t size);

/* One was made and its file is there, or the operator's word is recorded. */
bool backup_is_there(const struct model *model);

/* Nothing runs, and there is something that the upgrade would change. */
bool backup_can_start(const struct model *model);

/* The sentence on one line, or in a text, where an old one is warned of too. */
void backup_draw(struct wizard *wizard, struct area area, int y);
void backup_add(struct prose *prose, const struct model *model, bool brief);

/* Asks for the folder and starts it. */
void backup_ask_folder(struct wizard *wizard);

/* Records that there is another, said before that step; false, and it is said, where it can't be. */
bool backup_declare(struct wizard *wizard, enum step step);

#endif
