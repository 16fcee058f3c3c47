// Any bytes as config.json beside a few tensors: a configuration that survives being written and
// read, a model or one Error, and no more memory or work than so small a folder deserves.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "nn/model_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/json_bounded.h"
#include "tensor/safetensors.h"

namespace {

// A folder of this process's own, with weights of a tiny body.
class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("ink_fuzz_config_" + std::to_string(::getpid()))) {
    ink::ModelConfig config;
    config.vocab_size = 10;
    config.hidden_size = 4;
    config.max_position_embeddings = 8;
    config.set_layers(1, 2, 4);
    ink::save_model(ink::Model(config, {}, ink::random_values(ink::Random(1))), path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

const std::filesystem::path& folder() {
  static const Folder made;
  return made.path();
}

void load(const ink::LoadOptions& options) {
  ink::reset_peak();
  const size_t before = ink::pool_statistics().in_use;
  try {
    ink::load_model(folder(), options);
  } catch (const ink::Error&) {  // the expected answer to damage
  }
  constexpr size_t kMost = size_t{16} << 20;
  if (ink::pool_statistics().peak - before > kMost) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ink::ModelConfig config;
  try {
    config = ink::ModelConfig::from(ink::parse_bounded_json(text, "config.json"));
  } catch (const ink::Error&) {  // the expected answer to damage
    return 0;
  }
  const ink::ModelConfig again = ink::ModelConfig::from(config.to_json());
  if (again.heads_per_layer != config.heads_per_layer || again.labels != config.labels)
    __builtin_trap();
  ink::write_file(folder() / "config.json", text);
  load({});
  ink::Heads heads{.pooler = config.family->pooler != nullptr, .classification = true};
  load({.heads = heads, .new_heads = true});
  return 0;
}
