"""The confusion matrix as a heatmap, and its largest entries in words."""

import math

import numpy as np

from keras_hrnet.evaluation.html.wording import NO_VALUE, count, escape, percent, short_count

NUM_LEVELS = 10
# A heatmap of more classes is neither read nor small: 171 have 29,241 cells.
MOST_CLASSES = 40
MOST_WORDS = 12
SMALLEST_SHARE = 0.0005


def confusion_section(confusion, class_names):
    """Writes the largest confusions in words, and the heatmap with the choice of what its cells say.

    Args:
        confusion: int `(num_classes, num_classes)`, pixels; rows are the truth, columns the prediction.
        class_names: what the classes are called.

    Returns:
        HTML.
    """
    shown = _shown_classes(confusion)
    note = "Rows are the truth, columns what the network says."
    if len(shown) < len(class_names):
        note += f" Of {len(class_names)} classes, the {len(shown)} are shown that are confused most."
    choice = (
        '<fieldset class="choice"><legend class="hidden">What the cells say</legend>'
        '<label><input type="radio" name="cells" value="percent" checked><span>Percent of the truth</span></label>'
        '<label><input type="radio" name="cells" value="pixels"><span>Pixels</span></label></fieldset>'
    )
    heatmap = _heatmap(confusion, class_names, shown)
    return f'{_words(confusion, class_names)}{choice}{heatmap}{_scale()}<p class="note">{note}</p>'


def largest_confusions(confusion):
    """Finds what is taken for something else most often, relative to how often it occurs.

    Args:
        confusion: int `(num_classes, num_classes)`, pixels; rows are the truth, columns the prediction.

    Returns:
        A list of (truth, prediction, share of the truth, pixels), largest share first, at most 12.
    """
    shares = _shares(confusion)
    off = ~np.eye(len(confusion), dtype=bool)
    found = np.argwhere(off & (confusion > 0) & (np.nan_to_num(shares) >= SMALLEST_SHARE))
    rows = [(int(i), int(j), float(shares[i, j]), int(confusion[i, j])) for i, j in found]
    return sorted(rows, key=lambda row: -row[2])[:MOST_WORDS]


def _shares(confusion):
    pixels = confusion.sum(axis=1, keepdims=True)
    return np.divide(confusion, pixels, out=np.full(confusion.shape, np.nan), where=pixels > 0)


def _shown_classes(confusion):
    wrong = confusion.sum(axis=0) + confusion.sum(axis=1) - 2 * np.diag(confusion)
    return sorted(np.argsort(-wrong, kind="stable")[:MOST_CLASSES].tolist())


def _words(confusion, class_names):
    items = "".join(
        f"<li><b>{percent(share, 1)} %</b> of {escape(class_names[i])} is called {escape(class_names[j])} "
        f'<span class="note">({short_count(pixels)} pixels)</span></li>'
        for i, j, share, pixels in largest_confusions(confusion)
    )
    return f'<ol class="words">{items}</ol>' if items else "<p>No class is taken for another one.</p>"


def _heatmap(confusion, class_names, shown):
    shares = _shares(confusion)
    names = [escape(name) for name in class_names]
    heads = "".join(f'<th scope="col" title="{names[j]}"><span>{names[j]}</span></th>' for j in shown)
    rows = []
    for i in shown:
        cells = "".join(_cell(confusion[i, j], shares[i, j], class_names[i], class_names[j], i == j) for j in shown)
        rows.append(f'<tr><th scope="row" title="{names[i]}">{names[i]}</th>{cells}</tr>')
    return (
        '<div class="scroll" role="region" tabindex="0" aria-label="Confusion matrix"><table class="heat">'
        f"<thead><tr><td>truth ↓ said →</td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(pixels, share, truth, prediction, is_right):
    words = f"truth {truth} said to be {prediction}: {percent(share, 1)} %, {count(int(pixels), 'pixel')}"
    if math.isnan(share):
        words = f"no pixel is truly {truth}"
    words = escape(words)
    name = f' class="{level(share, is_right)}"' if pixels else ""
    text = (
        f'<span class="as-percent">{_digits(pixels, share)}</span><span class="as-pixels">{short_count(pixels)}</span>'
    )
    return f'<td{name} title="{words}" aria-label="{words}">{text}</td>'


def _digits(pixels, share):
    if math.isnan(share):
        return NO_VALUE
    return percent(share, 1) if pixels else "0"


def level(share, is_right):
    """Returns the classes of the style of a cell: its hue, and how strong it is, 1 to 10.

    A wrong share counts by its root, for 4 % of a class called another is much already.

    Args:
        share: of the truth, in (0, 1].
        is_right: whether truth and prediction agree.
    """
    strength = share if is_right else math.sqrt(share)
    # 0.3 * 10 is more than 3 in floating point, and no more than that is meant.
    return f"{'right' if is_right else 'wrong'} level-{max(1, math.ceil(NUM_LEVELS * strength - 1e-9))}"


def _scale():
    def limits(is_right):
        for i in range(1, NUM_LEVELS + 1):
            share = i / NUM_LEVELS if is_right else (i / NUM_LEVELS) ** 2
            yield f'<i class="{level(share, is_right)}">{100 * share:.0f}</i>'

    return (
        f'<div class="scale"><div><b>Right, up to %</b>{"".join(limits(True))}</div>'
        f"<div><b>Wrong, up to %</b>{''.join(limits(False))}</div></div>"
    )
