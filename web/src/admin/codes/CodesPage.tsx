import { Anchor, Button, Card, Table, Text, VisuallyHidden } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { counted, day } from "../../components/format";
import { AdminPage } from "../AdminPage";
import { codesQuery } from "../api";
import { ChoiceFilter } from "../ChoiceFilter";
import filterClasses from "../Filters.module.css";
import { Listed, NothingHere } from "../Listed";
import { PageNumbers } from "../PageNumbers";
import { Row, Rows } from "../Rows";
import { SearchField } from "../SearchField";
import { State } from "../State";
import type { Code } from "../types";
import { among, useFilters } from "../useFilters";
import { When } from "../When";
import { CODE_STATES } from "../words";
import { nameOf, TONES, usesOf } from "./code";
import { CodeMenu } from "./CodeMenu";
import { NewCodesDialog } from "./NewCodesDialog";
import { useCodeActs, type CodeActs } from "./useCodeActs";

const PER_PAGE = 50;

export default function CodesPage() {
  const filters = useFilters(["state", "search"]);
  const [making, { open, close }] = useDisclosure(false);
  const { acts, dialogs } = useCodeActs();
  const state = among(filters.of("state"), CODE_STATES);
  const search = filters.of("search");
  const codes = useQuery(codesQuery({ ...(state && { state }), ...(search && { search }) }, filters.page, PER_PAGE));
  const make = (
    <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={open}>
      New codes
    </Button>
  );
  return (
    <AdminPage title="Codes" lead="Each opens a number of calls for whoever holds it." tools={make}>
      <search className={filterClasses.filters} aria-label="Which codes">
        <SearchField filters={filters} name="search" label="Search" placeholder="Label or id" />
        <ChoiceFilter filters={filters} name="state" label="State" choices={CODE_STATES} />
        <Text fz="sm" c="dimmed" role="status" pb={10} className="figures">
          {codes.data && counted(codes.data.total, "code")}
        </Text>
      </search>
      <Card withBorder radius="lg" padding={0}>
        <Listed query={codes} what="the codes" height={440}>
          {({ codes, total }) =>
            codes.length === 0 ? (
              <NothingHere
                title={filters.any ? "No code fits" : "There are no codes yet"}
                action={
                  filters.any ? (
                    <Button variant="default" onClick={filters.clear}>
                      Show every code
                    </Button>
                  ) : (
                    make
                  )
                }
              >
                {filters.any
                  ? "Choose another state, or search for something else."
                  : "Make some and hand them out: who has one can call without an account."}
              </NothingHere>
            ) : (
              <>
                <CodeRows codes={codes} acts={acts} />
                <PageNumbers total={Math.ceil(total / PER_PAGE)} filters={filters} />
              </>
            )
          }
        </Listed>
      </Card>
      <NewCodesDialog opened={making} close={close} />
      {dialogs}
    </AdminPage>
  );
}

function CodeRows({ codes, acts }: { codes: readonly Code[]; acts: CodeActs }) {
  const shown = codes.some(({ code }) => code !== null);
  return (
    <Rows label="Codes">
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Label</Table.Th>
          {shown && <Table.Th>Code</Table.Th>}
          <Table.Th visibleFrom="xs">State</Table.Th>
          <Table.Th>Calls used</Table.Th>
          <Table.Th visibleFrom="sm">Last used</Table.Th>
          <Table.Th visibleFrom="sm">Expires</Table.Th>
          <Table.Th visibleFrom="lg">Made</Table.Th>
          <Table.Th>
            <VisuallyHidden>Actions</VisuallyHidden>
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {codes.map((code) => {
          const to = `/admin/codes/${encodeURIComponent(code.id)}`;
          return (
            <Row key={code.id} to={to}>
              <Table.Td>
                <Anchor component={Link} to={to}>
                  {nameOf(code)}
                </Anchor>
                <Text component="span" display="block" fz="xs" c="dimmed" hiddenFrom="xs">
                  {CODE_STATES[code.state]}
                </Text>
              </Table.Td>
              {shown && <Table.Td>{code.code ?? "–"}</Table.Td>}
              <Table.Td visibleFrom="xs">
                <State tone={TONES[code.state]}>{CODE_STATES[code.state]}</State>
              </Table.Td>
              <Table.Td>{usesOf(code)}</Table.Td>
              <Table.Td visibleFrom="sm">{code.last_used_at ? <When at={code.last_used_at} /> : "Never"}</Table.Td>
              <Table.Td visibleFrom="sm">{code.expires_at ? <When at={code.expires_at} /> : "Never"}</Table.Td>
              <Table.Td visibleFrom="lg">{day(code.created_at)}</Table.Td>
              <Table.Td data-right>
                <CodeMenu code={code} acts={acts} />
              </Table.Td>
            </Row>
          );
        })}
      </Table.Tbody>
    </Rows>
  );
}
