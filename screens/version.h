/* Which program this is, and which libraries it runs with. */
#ifndef SCREENS_VERSION_H
#define SCREENS_VERSION_H

/* A line for the program, and one for each library: its version as it is loaded now; of inih, which can't tell, as it was built with. */
void version_say(void);

#endif
