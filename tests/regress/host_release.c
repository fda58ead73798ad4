/* Fails on the host's kernel of release BAD, which the file RELEASE names. */
#include <stdio.h>
#include <string.h>

int main(void)
{
	char release[80] = "";
	FILE *file = fopen(RELEASE, "r");

	if (!file || !fgets(release, sizeof(release), file))
		return 2;
	return strncmp(release, BAD, strlen(BAD)) == 0;
}
