// Another folder, without a model, in which an update can be begun.
#include "compress/result_folder.h"

#include "nn/model_folder.h"
#include "tasks/classification.h"
#include "tensor/folder_update.h"

namespace ink {

void check_writable(const std::filesystem::path& folder) {
  const FolderUpdate begun_and_left(folder);
}

void check_result_folder(const std::filesystem::path& model, const std::filesystem::path& out) {
  check_other_folder("prune", model, out);
  check_no_model("prune", out);
  check_writable(out);
}

}  // namespace ink
