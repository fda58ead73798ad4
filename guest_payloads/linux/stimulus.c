// SPDX-License-Identifier: MIT
/*
 * Do a known number of things that an SVSM is asked for, and say how many were done.
 *
 *   svsm-stimulus tpm N               N TPM2_GetRandom on /dev/tpm0: one vTPM call each (tpmrm0 would add its own)
 *   svsm-stimulus reports N [PROVIDER]  N attestation reports by configfs-tsm; PROVIDER svsm asks the SVSM for them
 *   svsm-stimulus cpu N CPU           N times offline and online again: DELETE_VCPU and CREATE_VCPU
 *
 * Everything is opened and allocated before the first of them, and nothing is printed until after the last: what the
 * host counts meanwhile is theirs. Exit status 0: all were done; 1: not, standard error says why; 2: usage.
 *
 * Sources: TCG TPM 2.0 part 3, 16.1 (TPM2_GetRandom) and part 1, 18 (response codes); Linux
 * Documentation/ABI/testing/configfs-tsm-report.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define TPM_DEVICE "/dev/tpm0"
#define TPM_HEADER 10
#define CONFIGFS "/sys/kernel/config"
#define REPORTS CONFIGFS "/tsm/report"
#define REPORT REPORTS "/svsm-harness"
#define LONGEST_COUNT 1000000

static int failed(const char *format, ...)
{
	va_list arguments;

	fputs("svsm-stimulus: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return 1;
}

/* -1: it is no whole number from 1 to the most. */
static long whole(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	return *text && !*end && value > 0 && value <= LONGEST_COUNT ? value : -1;
}

static int tpm(long count)
{
	/* TPM_ST_NO_SESSIONS, 12 bytes, TPM_CC_GetRandom, 16 bytes wanted. */
	static const uint8_t command[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 16 };
	uint8_t answer[4096];
	long done;
	int device = open(TPM_DEVICE, O_RDWR | O_CLOEXEC);

	if (device < 0)
		return failed("cannot open " TPM_DEVICE ": %s", strerror(errno));
	for (done = 0; done < count; done++) {
		ssize_t got;
		uint32_t code;

		if (write(device, command, sizeof(command)) != (ssize_t)sizeof(command))
			return failed("command %ld: cannot write: %s", done + 1, strerror(errno));
		got = read(device, answer, sizeof(answer));
		if (got < TPM_HEADER)
			return failed("command %ld: an answer of %zd bytes: %s", done + 1, got, strerror(errno));
		code = (uint32_t)answer[6] << 24 | answer[7] << 16 | answer[8] << 8 | answer[9];
		if (code)
			return failed("command %ld: response code %#x", done + 1, code);
	}
	printf("# tpm commands=%ld answered=%ld\n", count, done);
	return 0;
}

/* Opens, writes all of it, and closes: an attribute of configfs takes its value at the close. */
static int put(const char *path, const void *value, size_t length)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t put;

	if (file < 0)
		return failed("cannot open %s: %s", path, strerror(errno));
	put = write(file, value, length);
	if (put != (ssize_t)length || close(file))
		return failed("cannot write %s: %s", path, strerror(errno));
	return 0;
}

static int one_report(long number)
{
	static uint8_t answer[64 << 10];
	uint8_t challenge[64] = { 0 };
	ssize_t got;
	int file;

	/* A new challenge each time, so that no report can be an old one. */
	memcpy(challenge, &number, sizeof(number));
	if (put(REPORT "/inblob", challenge, sizeof(challenge)))
		return 1;
	file = open(REPORT "/outblob", O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return failed("cannot open " REPORT "/outblob: %s", strerror(errno));
	got = read(file, answer, sizeof(answer));
	if (got <= 0)
		failed("report %ld: %s", number + 1, got ? strerror(errno) : "it is empty");
	close(file);
	return got <= 0;
}

static int reports(long count, const char *provider)
{
	long done = 0;
	int status = 0;

	if (access(CONFIGFS "/tsm", F_OK) && mount("configfs", CONFIGFS, "configfs", 0, NULL) && errno != EBUSY)
		return failed("cannot mount configfs: %s", strerror(errno));
	if (mkdir(REPORT, 0700))
		return failed("cannot make " REPORT ": %s%s", strerror(errno),
			      errno == ENOENT ? "; the kernel has no configfs-tsm, or sev-guest is not loaded" :
			      errno == ENXIO ? "; no driver gives reports here" : "");
	if (provider)
		status = put(REPORT "/service_provider", provider, strlen(provider));
	while (!status && done < count && !(status = one_report(done)))
		done++;
	rmdir(REPORT);
	if (!status)
		printf("# tsm reports=%ld\n", done);
	return status;
}

static int cpu(long count, long number)
{
	char path[80];
	long done;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%ld/online", number);
	if (access(path, W_OK))
		return failed("CPU %ld cannot be taken offline: %s", number, strerror(errno));
	for (done = 0; done < count; done++)
		if (put(path, "0", 1) || put(path, "1", 1))
			return failed("CPU %ld: after %ld times", number, done);
	printf("# cpu number=%ld cycles=%ld\n", number, done);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long count = argc > 2 ? whole(argv[2]) : -1;

	if (count > 0 && !strcmp(what, "tpm") && argc == 3)
		return tpm(count);
	if (count > 0 && !strcmp(what, "reports") && argc <= 4)
		return reports(count, argc == 4 ? argv[3] : NULL);
	if (count > 0 && !strcmp(what, "cpu") && argc == 4 && whole(argv[3]) > 0)
		return cpu(count, whole(argv[3]));
	fputs("usage: svsm-stimulus tpm N | reports N [PROVIDER] | cpu N CPU\n", stderr);
	return 2;
}
