// The files of a tokenizer that a folder lacks are those that its tokenizer would write.
#include "tasks/save_folder.h"

#include <algorithm>

#include "tensor/file.h"
#include "text/tokenizer.h"

namespace ink {

namespace fs = std::filesystem;

void complete_tokenizer(const fs::path& folder) {
  constexpr size_t kLongest = size_t{1} << 30;
  if (!has_tokenizer(folder)) return;
  const fs::path whole = folder / ".tokenizer";
  std::error_code ignored;
  fs::remove_all(whole, ignored);
  try {
    Tokenizer::load(folder).save(whole);
    for (const char* name : kTokenizerFiles)
      if (fs::exists(whole / name) && !fs::exists(folder / name))
        write_file(folder / name, read_file(whole / name, kLongest));
  } catch (...) {
    fs::remove_all(whole, ignored);
    throw;
  }
  fs::remove_all(whole, ignored);
}

void save_folder(const Model& model, const fs::path& folder, const fs::path& tokenizer_from,
                 Dtype dtype, const Notice& notice) {
  save_model(model, folder, tokenizer_from, dtype);
  try {
    complete_tokenizer(folder);
  } catch (const Error& error) {
    if (notice) notice("the files of the tokenizer are copied as they were: " + error.message());
  }
}

}  // namespace ink
