// inkstone convert: a model folder in another form: element type, or zero-padded to even layers.
#include <cstdio>
#include <memory>
#include <utility>

#include "cli/model_option.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "compress/padding.h"
#include "nn/model_folder.h"
#include "tasks/classification.h"
#include "tasks/save_folder.h"

namespace ink::cli {
namespace {

struct Options {
  std::string model, out, dtype = "f32";
  bool pad = false;
};

Json run(const Options& o) {
  const Dtype dtype = dtype_from(o.dtype);
  check_other_folder("convert", o.model, o.out);
  check_no_model("convert", o.out);
  Model whole = load_model(o.model, {.notice = notice});
  const Model model = o.pad ? padded(whole) : std::move(whole);
  save_folder(model, o.out, o.model, dtype, notice);
  std::printf("%s: %ld parameters as %s\n", o.out.c_str(), model.parameters.elements(),
              name_of(dtype));
  return Json::make_object(
      {{"parameters", model.parameters.elements()}, {"dtype", name_of(dtype)}});
}

}  // namespace

Action declare_convert(Command& command) {
  auto o = std::make_shared<Options>();
  command.path("--model", o->model, kModelHelp);
  command.path("--out", o->out, "folder to write");
  command.choice("--dtype", o->dtype, {"f32", "f16", "bf16"}, "of the weights");
  command.flag("--pad", o->pad,
               "fill layers of different sizes up with zeros, as transformers needs them");
  command.require("--model");
  command.require("--out");
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
