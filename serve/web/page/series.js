// What the slices of a series say together: the twin of serve/series.py, which says why.
// A slice's `tumour` is its probability of any tumour, null where it is unlike brain MRI.

const SUSPICIOUS = 0.5;
const NEIGHBOURS = 3;
const MOST = 3;

/** {tumour, run, suspicious, classes} of slices {index, label, tumour}. */
export function summary(slices) {
  const classes = {};
  for (const { label } of slices) if (label !== null) classes[label] = (classes[label] ?? 0) + 1;
  return {
    tumour: pooled(slices.map((one) => one.tumour)),
    run: longestRun(slices),
    suspicious: mostSuspicious(slices),
    classes,
  };
}

export function isSuspicious({ tumour }) {
  return tumour !== null && tumour >= SUSPICIOUS;
}

function pooled(tumour) {
  const known = tumour.filter((one) => one !== null);
  if (!known.length) return null;
  const width = Math.min(NEIGHBOURS, known.length);
  let highest = 0;
  for (let at = 0; at + width <= known.length; at++) {
    const mean = known.slice(at, at + width).reduce((sum, one) => sum + one, 0) / width;
    highest = Math.max(highest, mean);
  }
  return Math.min(1, highest);
}

/** Of every run the worst slice comes first, and only then the others. */
function mostSuspicious(slices) {
  const byTumour = (one, other) => other.tumour - one.tumour;
  const runs = runsOf(slices).map((run) => run.toSorted(byTumour));
  const worst = runs.map(([first]) => first).toSorted(byTumour);
  const others = runs.flatMap(([, ...rest]) => rest).toSorted(byTumour);
  const first = [...worst, ...others].slice(0, MOST);
  return first.toSorted(byTumour).map((one) => one.index);
}

function longestRun(slices) {
  let longest = [];
  for (const run of runsOf(slices)) if (run.length > longest.length) longest = run;
  return longest.length ? [longest[0].index, longest.at(-1).index] : null;
}

/** The suspicious slices, those of neighbours together. */
function runsOf(slices) {
  const runs = [];
  for (const one of slices.filter(isSuspicious)) {
    const last = runs.at(-1);
    if (last?.at(-1).index === one.index - 1) last.push(one);
    else runs.push([one]);
  }
  return runs;
}
