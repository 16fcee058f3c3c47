// Names of devices, and their memory.
#include "tensor/device.h"

#include "tensor/error.h"

namespace ink {

const char* name_of(Device d) { return d == Device::cpu ? "cpu" : "cuda"; }

Device device_from(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  check(name == "cuda", "device: expected cpu or cuda, got '", name, "'");
  return Device::cuda;
}

Allocator& allocator_of(Device d) { return d == Device::cpu ? pool() : cuda_backend().allocator(); }

}  // namespace ink
