/* SPDX-License-Identifier: MIT */
/* SVSM spec, "vTPM Protocol": the response to a command is the command itself, there is no TPM. */
#include "page_state.h"
#include "svsm.h"
#include "text.h"

u32 svsm_vtpm_request(struct svsm_request *request)
{
	struct svsm_vtpm_request *command = (struct svsm_vtpm_request *)request->rcx;
	struct svsm_vtpm_response *response = (struct svsm_vtpm_response *)request->rcx;
	u32 bytes;

	switch (request->call) {
	case SVSM_VTPM_QUERY:
		request->rcx = 1ull << TPM_SEND_COMMAND;
		request->rdx = 0;
		return SVSM_SUCCESS;
	case SVSM_VTPM_CMD:
		if (request->rcx % PAGE_SIZE || !request->rcx || request->rcx >= MEMORY_BYTES)
			return SVSM_ERR_INVALID_ADDRESS;
		if (command->command != TPM_SEND_COMMAND || command->bytes > SVSM_VTPM_MAX_BYTES)
			return SVSM_ERR_INVALID_PARAMETER;
		/* The two headers differ in length and overlap; a forward copy moves the text down by 5 bytes. */
		bytes = command->bytes;
		memcpy(response->buffer, command->buffer, bytes);
		response->bytes = bytes;
		return SVSM_SUCCESS;
	default:
		return SVSM_ERR_UNSUPPORTED_CALL;
	}
}
