// Another folder, without a model, in which an update can be begun.
#include "compress/result_folder.h"

#include "autograd/checkpoint.h"
#include "nn/model_folder.h"
#include "tasks/classification.h"
#include "tensor/folder_update.h"

namespace ink {

void check_writable(const std::filesystem::path& folder) {
  const FolderUpdate begun_and_left(folder);
}

void check_unused(const char* job, const std::filesystem::path& out, bool goes_on) {
  check_no_model(job, out, true);
  if (!goes_on) check_no_checkpoints(out / "training");
}

void check_student_folder(std::span<const std::filesystem::path> teachers,
                          const std::filesystem::path& out, bool goes_on) {
  for (const std::filesystem::path& teacher : teachers) check_other_folder("distill", teacher, out);
  check_unused("distill", out, goes_on);
  check_writable(out);
}

void check_result_folder(const std::filesystem::path& model, const std::filesystem::path& out) {
  check_other_folder("prune", model, out);
  check_no_model("prune", out);
  check_writable(out);
}

}  // namespace ink
