/* As a KVM selftest: does this kernel's KVM have SEV? Debian's cloud kernel is built without CONFIG_KVM_AMD_SEV. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	int built_in = access("/sys/module/kvm_amd/parameters/sev", F_OK) == 0;

	puts(built_in ? "kvm_amd has SEV" : "kvm_amd was built without SEV");
	return !built_in;
}
