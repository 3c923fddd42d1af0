// A field for a cell of a column: a choice of its levels, or text as the file writes it.
import { useId } from "preact/hooks";
import type { Column } from "./rows";
import type { Cell } from "./values";

const MOST_CHOICES = 300; // with more levels, the field is text

/** The cell that a text in a field stands for: a number if the column has numbers, and null if it is empty. */
export function cellOf({ type }: Column, text: string): Cell {
  if (text === "") return null;
  const isNumber = (type === "numeric" || type === "integer") && text.trim() !== "";
  return isNumber && Number.isFinite(Number(text)) ? Number(text) : text; // the server says what is wrong with other texts
}

interface Props {
  column: Pick<Column, "name" | "type" | "levels">;
  value: string;
  empty: string; // what an empty field means
  set: (text: string) => void;
}

export function CellField({ column, value, empty, set }: Props) {
  const { name, type, levels } = column;
  const id = useId();
  const change = (event: { currentTarget: { value: string } }) => set(event.currentTarget.value);
  return (
    <div class="cell-field">
      <label for={id} title={name}>
        {name}
      </label>
      {levels && levels.length <= MOST_CHOICES ? (
        <select id={id} value={value} onChange={change}>
          <option value="">{empty}</option>
          {levels.map((level) => (
            <option key={level} value={level}>
              {level}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          type="text"
          inputMode={type === "numeric" ? "decimal" : "text"}
          placeholder={empty}
          value={value}
          onChange={change}
        />
      )}
    </div>
  );
}
