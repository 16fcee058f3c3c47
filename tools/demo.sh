#!/bin/sh
# The main job on real Chinese text: vocabulary, pre-train, fine-tune, distil, prune, report. Leaves everything in demo/.
#
#   tools/demo.sh             about five minutes on two cores
#   tools/demo.sh --quick     the same steps in about one minute, with little training: checks that all of it works
#   tools/demo.sh --cuda      trains on the CUDA device, in bf16; the program is that of build-cuda
#   INK_BUILD=FOLDER tools/demo.sh     with the program of that build
#   INK_TEXT=FOLDER tools/demo.sh      on your text; the entries of FOLDER (folders or files) are the classes, and a blank line
#                                      ends a document
#
# Without INK_TEXT the text is LibreOffice's help and the manual pages in Chinese. The words are those of friso's dictionary, or
# of the file that INK_DICTIONARY names. All three are Debian packages, 9.5 MB, downloaded and unpacked but not installed.
# What an earlier run left stays in demo/earlier until this one has come to its end.
set -eu
cd "$(dirname "$0")/.."

quick= build=${INK_BUILD:-build} place=
for argument in "$@"; do
  case $argument in
    --quick) quick=yes ;;
    --cuda) build=${INK_BUILD:-build-cuda} place="--device cuda --dtype bf16" ;;
    *) echo "demo: expected --quick, --cuda or nothing, got '$argument'" >&2; exit 2 ;;
  esac
done

if [ -n "${INK_TEXT:-}" ] && [ ! -d "$INK_TEXT" ]; then
  echo "demo: expected a folder of text in INK_TEXT, $INK_TEXT is none" >&2
  exit 2
fi

ink=$build/inkstone
out=${INK_DEMO:-demo}
downloads=$out/downloads
start=$(date +%s)

say() { printf '\n\033[1m%s\033[0m  (%s s)\n' "$1" "$(($(date +%s) - start))"; }

# A Debian package unpacked in $downloads/NAME.
fetch() { mkdir -p "$downloads" && tools/fetch_package.sh "$1" "$downloads/$1"; }

# Words for whole-word masking, with the frequencies they have in the text; none where nothing can be downloaded.
make_dictionary() {
  dictionary=${INK_DICTIONARY:-} objective=wwm
  [ -z "$dictionary" ] || return 0
  if fetch friso-dict; then
    dictionary=$out/words.txt
    $ink dictionary --words "$downloads/friso-dict/usr/share/friso/dict/UTF-8/lex-main.lex" \
      --text "$out/text/text.txt" --out "$dictionary"
  else
    echo "no dictionary: characters are masked, not words; INK_DICTIONARY may name a file of words"
    objective=mlm
  fi
}

# The results of the last run that came to its end are in $out, or in $out/earlier when one was broken off since.
results="text vocab.txt words.txt architecture.json pretrained teacher student.json distill.json student prune.json pruned
  pruned-tuned report.html"
set_earlier_aside() {
  complete=yes
  [ -d "$out/earlier" ] && complete=no
  mkdir -p "$out/earlier"
  for each in $results; do
    [ -e "$out/$each" ] || continue
    if [ $complete = yes ]; then mv "$out/$each" "$out/earlier/$each"; else rm -rf "${out:?}/$each"; fi
  done
}
done_with() {
  rm -rf "$out/earlier"
  say "Done: $1"
  [ -z "$quick" ] || echo "The models of --quick have hardly been trained; without it they learn."
}

if [ -n "$quick" ]; then
  pretrain_steps=40 epochs=1 distill_epochs=1
else
  pretrain_steps=700 epochs=3 distill_epochs=4
fi

mkdir -p "$out"
set_earlier_aside
say "1. Text"
if [ -n "${INK_TEXT:-}" ]; then
  $build/tools/demo_corpus "$out/text" --folder "$INK_TEXT"
  class="entry of $INK_TEXT"
else
  for package in libreoffice-help-zh-cn manpages-zh; do
    fetch "$package" || { echo "demo: without it name a folder of text: INK_TEXT=FOLDER make demo" >&2; exit 1; }
  done
  man=$downloads/man
  if [ ! -d "$man" ]; then
    rm -rf "$man.partial" && cp -r "$downloads/manpages-zh/usr/share/man/zh_CN" "$man.partial"
    find "$man.partial" -type l -exec rm {} +
    find "$man.partial" -name '*.gz' -exec gzip -df {} +
    mv "$man.partial" "$man"
  fi
  $build/tools/demo_corpus "$out/text" --roff "$man" \
    --html "$downloads/libreoffice-help-zh-cn/usr/share/libreoffice/help/zh-CN/text"
  class="module"
fi
make_dictionary

say "2. Vocabulary"
$ink vocab --text "$out/text/text.txt" --size 5000 --out "$out/vocab.txt"
head -n 20 "$out/text/text.txt" | $ink corrupt --objective $objective --vocab "$out/vocab.txt" --text - --limit 1 \
  ${dictionary:+--dictionary "$dictionary"}

say "3. Pre-train ($objective)"
cat >"$out/architecture.json" <<END
{"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 512, "max_position_embeddings": 128}
END
$ink pretrain $place --objective $objective --architecture "$out/architecture.json" --vocab "$out/vocab.txt" \
  ${dictionary:+--dictionary "$dictionary"} --text "$out/text/text.txt" --out "$out/pretrained" \
  --steps $pretrain_steps --evaluate-every $((pretrain_steps / 5)) --batch-tokens 2048 --max-length 128 --learning-rate 1e-3 --warmup 0.1

if [ ! -f "$out/text/train.tsv" ]; then
  echo "no classes to tell apart in INK_TEXT: the demo ends with the pre-trained model $out/pretrained"
  $ink report --out "$out/report.html" --run pre-training="$out/pretrained"
  done_with "$out/report.html"
  exit 0
fi

say "4. Fine-tune: which $class does a paragraph come from?"
$ink finetune $place --task classification --model "$out/pretrained" --train "$out/text/train.tsv" --dev "$out/text/dev.tsv" \
  --out "$out/teacher" --epochs $epochs --learning-rate 5e-4

say "5. Distil into a student of two layers"
cat >"$out/student.json" <<END
{"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 256, "max_position_embeddings": 128}
END
cat >"$out/distill.json" <<END
{
  "student": {"architecture": "$out/student.json"},
  "TrainingConfig": {"num_epochs": $distill_epochs, "learning_rate": 2e-3},
  "DistillationConfig": {
    "temperature": 4, "kd_loss_type": "ce", "kd_loss_weight": 1, "hard_label_weight": 0.5,
    "intermediate_matches": [
      {"layer_T": 0, "layer_S": 0, "feature": "hidden", "loss": "hidden_mse", "weight": 1, "proj": ["linear", 64, 128]},
      {"layer_T": 2, "layer_S": 1, "feature": "hidden", "loss": "hidden_mse", "weight": 1, "proj": ["linear", 64, 128]},
      {"layer_T": 4, "layer_S": 2, "feature": "hidden", "loss": "hidden_mse", "weight": 1, "proj": ["linear", 64, 128]}
    ]
  }
}
END
$ink distill $place --config "$out/distill.json" --teacher "$out/teacher" --train "$out/text/train.tsv" \
  --dev "$out/text/dev.tsv" --out "$out/student"

say "6. Prune half of the heads and FFN neurons, then tune what is left"
cat >"$out/prune.json" <<END
{"target_num_of_heads": 2, "target_ffn_size": 256, "pruning_method": "iterative", "n_iters": 4, "head_even_masking": false, "ffn_even_masking": false}
END
$ink prune --mode transformer --model "$out/teacher" --configurations "$out/prune.json" \
  --data "$out/text/train.tsv" --max-examples 800 --out "$out/pruned"
$ink finetune $place --task classification --model "$out/pruned" --train "$out/text/train.tsv" --dev "$out/text/dev.tsv" \
  --out "$out/pruned-tuned" --epochs $((epochs > 1 ? 2 : 1)) --learning-rate 3e-4

say "7. Report on the test paragraphs"
$ink report --out "$out/report.html" --train "$out/text/train.tsv" --data "$out/text/test.tsv" \
  --model teacher="$out/teacher" student="$out/student" pruned="$out/pruned" pruned+tuned="$out/pruned-tuned" \
  --run pre-training="$out/pretrained" fine-tuning="$out/teacher" distillation="$out/student" \
  tuning-after-pruning="$out/pruned-tuned"
done_with "$out/report.html"
